"""Query parameters, checked: an unknown value is 422, never silently the default."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from marketplace.api import invalid


def choice(request: Request, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.query_params.get(name, default)
    if value not in allowed:
        raise _bad(name, f"must be {' or '.join(allowed)}")
    return value


def page_size(request: Request, default: int = 50, most: int = 200) -> int:
    raw = request.query_params.get("page_size", str(default))
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and 1 <= int(raw) <= most):
        raise _bad("page_size", f"must be a whole number from 1 to {most}")
    return int(raw)


def offset(request: Request) -> int:
    """A cursor into a short list: how many come before."""
    raw = request.query_params.get("cursor") or "0"
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise _bad("cursor", "is none of ours")
    return int(raw)


def bad_cursor() -> Exception:
    return _bad("cursor", "is none of ours")


def next_url(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def _bad(name: str, text: str) -> Exception:
    return invalid("invalid", f"{name} {text}.", {name: [text]})
