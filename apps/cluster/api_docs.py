"""The answers that OpenAPI must list besides the good one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers


class ClusterErrorSerializer(serializers.Serializer[Any]):
    """Every error has this shape."""

    error = serializers.DictField(help_text="{code, message, fields: {name: [texts]}}")


_WORDS = {
    401: "Not logged in.",
    403: "Not staff; or logged in by cookie, and the CSRF token is missing.",
    404: "There is no such node, or no such page of the list.",
    406: "Nothing of what Accept names can be made.",
    409: "The node is alive.",
    415: "The body is of the wrong kind.",
    422: "Something in the request can't be accepted; `fields` says what. Nothing was changed.",
}


def errors(*codes: int) -> dict[Any, OpenApiResponse]:
    return {code: OpenApiResponse(ClusterErrorSerializer, _WORDS[code]) for code in (401, 406, *codes)}


# What a PATCH by anyone can be refused for.
CHANGE = (403, 415, 422)


def listing(name: str, item: serializers.BaseSerializer[Any]) -> OpenApiResponse:
    """The envelope of a list."""
    fields = {
        "items": item,
        "next": serializers.URLField(allow_null=True),
        "count": serializers.IntegerField(),
    }
    return OpenApiResponse(inline_serializer(name, fields))
