"""What the Accept header asks for, where answers are not made by DRF's renderers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request


class AnyAccept(BaseContentNegotiation):
    """The view looks at Accept itself; errors are JSON whatever it says."""

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == content_type), None)

    def select_renderer(self, request: Request, renderers: Sequence[Any], suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def preferred(header: str, offers: Sequence[str]) -> str | None:
    """The first best of `offers` (media types, `image/*` allowed) under an Accept header; None if the header
    rules all out. An empty header accepts anything."""
    wanted = [_parse(part) for part in header.split(",") if part.strip()] or [("*", "*", 1.0)]
    scores = {offer: _quality(wanted, offer) for offer in offers}
    best = max(scores, key=lambda offer: scores[offer], default=None)
    return best if best is not None and scores[best] > 0 else None


def _quality(wanted: Sequence[tuple[str, str, float]], offer: str) -> float:
    """The quality that the most specific matching entry gives."""
    matching = [one for one in wanted if _matches(one, offer)]
    return max(matching, key=lambda one: (one[0] != "*") + (one[1] != "*"), default=("", "", 0.0))[2]


def _parse(part: str) -> tuple[str, str, float]:
    media_type, _, parameters = part.strip().lower().partition(";")
    main, _, sub = media_type.strip().partition("/")
    quality = 1.0
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return main, sub or "*", quality


def _matches(kind: tuple[str, str, float], offer: str) -> bool:
    main, sub = offer.split("/")
    return kind[0] in {"*", main} and (kind[1] in {"*", sub} or sub == "*")
