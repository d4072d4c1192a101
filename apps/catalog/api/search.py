"""The query of a search among listings: the same names in the API and in the market's address bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from apps.catalog.models import Family, Kind
from apps.catalog.queries import ORDERS, Search
from apps.processing.storable import is_storable
from marketplace.api import invalid

MAX_Q = 200
_MOST = 10**12
_WHEN = "A date or a time, ISO 8601, of when it was first offered."

PARAMETERS = [
    OpenApiParameter("q", str, description="Words of title, description, classes, file names; or a sha256."),
    OpenApiParameter("kind", str, enum=list(Kind.values)),
    OpenApiParameter("family", str, enum=list(Family.values)),
    OpenApiParameter("order", str, enum=list(ORDERS)),
    OpenApiParameter("price_min", int, description="Credits."),
    OpenApiParameter("price_max", int, description="Credits."),
    OpenApiParameter("rating_min", OpenApiTypes.FLOAT, description="Average of its reviews, 1 to 5."),
    OpenApiParameter("created_after", str, description=_WHEN),
    OpenApiParameter("created_before", str, description=f"{_WHEN} A date: up to its end."),
    OpenApiParameter("seller", str, description="The id of who sells it."),
]


def parse(query: Mapping[str, str]) -> Search:
    """What a query asks for. 422 `invalid` names every field that is wrong; unknown names are ignored."""
    found, wrong = lenient(query)
    if wrong:
        raise invalid("invalid", "Listings can't be looked for like that.", wrong)
    return found


def lenient(query: Mapping[str, str]) -> tuple[Search, dict[str, list[str]]]:
    """For pages: what is right of a query, and what is wrong with the rest."""
    wrong: dict[str, list[str]] = {}
    found = {name: _one(name, query.get(name, "").strip(), wrong) for name in _READERS}
    return Search(**{name: value for name, value in found.items() if value not in ("", None)}), wrong


def _one(name: str, text: str, wrong: dict[str, list[str]]) -> Any:
    if not text:
        return None
    try:
        return _READERS[name](text)
    except (ValueError, TypeError, OverflowError) as error:
        wrong[name] = [str(error) if isinstance(error, _Wrong) else "can't be read"]
        return None


class _Wrong(ValueError):
    """Its text is for the user."""


def _words(text: str) -> str:
    if not is_storable(text):
        raise _Wrong("holds characters that can't be stored")
    return text[:MAX_Q]


def _choice(*allowed: str) -> Any:
    def read(text: str) -> str:
        if text not in allowed:
            raise _Wrong(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _credits(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and int(text) <= _MOST):
        raise _Wrong("must be a whole number, 0 or more")
    return int(text)


def _stars(text: str) -> float:
    try:
        stars = float(text)
    except ValueError:
        stars = math.nan
    if not 0 <= stars <= 5:
        raise _Wrong("must be a number from 0 to 5")
    return stars


def _time(text: str) -> datetime:
    try:
        found = parse_datetime(text) or datetime.combine(parse_date(text), datetime.min.time())  # type: ignore[arg-type]
        found = make_aware(found) if is_naive(found) else found
        return found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise _Wrong("must be a date or a time, ISO 8601") from None


def _until(text: str) -> datetime:
    """A day ends with its last moment."""
    found = _time(text)
    return found + timedelta(days=1) if len(text) == len("2026-11-25") else found


_READERS: dict[str, Any] = {
    "q": _words,
    "kind": _choice(*Kind.values),
    "family": _choice(*Family.values),
    "order": _choice(*ORDERS),
    "price_min": _credits,
    "price_max": _credits,
    "rating_min": _stars,
    "created_after": _time,
    "created_before": _until,
    "seller": _words,
}
