"""How views tell OpenAPI about answers that are not the good one, and about lists."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers


class ErrorContentSerializer(serializers.Serializer[None]):
    code = serializers.CharField(help_text="Stable; for programs")
    message = serializers.CharField(help_text="For people")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), help_text="What is wrong with which field"
    )


class ErrorSerializer(serializers.Serializer[None]):
    """Every error has this shape."""

    error = ErrorContentSerializer()


_WORDS = {
    400: "The request can't be understood.",
    401: "Not logged in, or the token is not valid.",
    403: "Logged in by cookie, and the CSRF token is missing; or not staff.",
    404: "Not there, or not yours.",
    406: "Nothing of what Accept names can be made.",
    409: "In the wrong state for this.",
    413: "Over a limit of size.",
    415: "The body is of the wrong kind.",
    422: "Something can't be accepted; `fields` says what.",
    429: "Too much at once; Retry-After says when to come back.",
}


def errors(*codes: int) -> dict[Any, OpenApiResponse]:
    """For `responses` of extend_schema: 401 and the given ones."""
    return {code: OpenApiResponse(ErrorSerializer, _WORDS[code]) for code in sorted({401, *codes})}


def listing(name: str, item: serializers.BaseSerializer[Any]) -> serializers.Serializer[Any]:
    """The envelope of a list that has one page."""
    fields = {
        "items": item,
        "next": serializers.URLField(allow_null=True),
        "count": serializers.IntegerField(),
    }
    return inline_serializer(name, fields)
