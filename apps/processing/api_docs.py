"""The answers that OpenAPI must list besides the good one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from apps.processing.services.states import Status


class ProcessingErrorSerializer(serializers.Serializer[Any]):
    """Every error has this shape."""

    error = serializers.DictField(help_text="{code, message, fields: {name: [texts]}}")


_WORDS = {
    401: "Not logged in.",
    403: "Logged in by cookie, and the CSRF token is missing.",
    404: "Not there, or not yours.",
    405: "Not possible here.",
    406: "Nothing of what Accept names can be made.",
    409: "The job is in the wrong state for this.",
    413: "The photo is over a limit.",
    415: "The body is of the wrong kind.",
    422: "Something in the request can't be accepted; `fields` says what.",
    429: "Too much at once; Retry-After says when to come back.",
    502: "A preview server gave no usable answer.",
    503: "No preview server is alive.",
    504: "The preview took too long.",
    507: "The server's disk is full.",
}


def errors(*codes: int) -> dict[Any, OpenApiResponse]:
    return {code: OpenApiResponse(ProcessingErrorSerializer, _WORDS[code]) for code in (401, *codes)}


def listing(name: str, item: serializers.Serializer[Any]) -> OpenApiResponse:
    """The envelope of a list."""
    fields = {
        "items": item,
        "next": serializers.URLField(allow_null=True),
        "count": serializers.IntegerField(),
    }
    return OpenApiResponse(inline_serializer(name, fields))


KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 80 printable characters. The same key does it once and gives the same answer.",
)
STATUS = OpenApiParameter("status", str, enum=[str(value) for value in Status.values])
FILTERS = [
    OpenApiParameter("status", str, enum=["ok", "failed"]),
    OpenApiParameter("label", str, description="A class that was found in the photo."),
    OpenApiParameter("min_confidence", float, description="0 to 1, of that finding."),
    OpenApiParameter("rgb", str, description="Dominant colour of that finding."),
    OpenApiParameter("ryb", str, description="The same on the painters' wheel."),
]
