"""The answers that OpenAPI must list besides the good one, and parameters that come up often."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from apps.drive.serializers import DriveErrorSerializer

_WORDS = {
    401: "Not logged in.",
    403: "Logged in by cookie, and the CSRF token is missing.",
    404: "Not there, in the trash, or not yours.",
    405: "Not possible here.",
    406: "Nothing of what Accept names can be made.",
    409: "In the wrong state for this: a name is taken, the folder is gone, it is not in the trash.",
    413: "Over a limit.",
    415: "The body is of the wrong kind.",
    416: "The range lies beyond the end.",
    422: "Something in the request can't be accepted; `fields` says what.",
    507: "The server's disk is full. Nothing was kept.",
}


def errors(*codes: int) -> dict[Any, OpenApiResponse]:
    return {code: OpenApiResponse(DriveErrorSerializer, _WORDS[code]) for code in (401, 406, *codes)}


# What a request with a body can be refused for.
BODY = (403, 415, 422)


def listing(name: str, item: Any) -> OpenApiResponse:
    """The envelope of a list."""
    fields = {
        "items": item,
        "next": serializers.URLField(allow_null=True),
        "count": serializers.IntegerField(),
    }
    return OpenApiResponse(inline_serializer(name, fields))


def binary(*media_types: str) -> dict[Any, Any]:
    return {(200, media_type): OpenApiTypes.BINARY for media_type in media_types}


CURSOR = OpenApiParameter("cursor", str, description="From `next`; begins at the start without it.")
PAGE_SIZE = OpenApiParameter(
    "page_size", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, description="Items a page."
)
LOCATION = OpenApiParameter(
    "location",
    str,
    enum=["strip", "keep"],
    description="`strip` (default of downloads) takes places out; `keep` sends what was uploaded.",
)
