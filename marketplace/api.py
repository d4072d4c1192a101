"""What every API answer has in common: the error envelope and the list envelope.

Lists:  {"items": [...], "next": URL or null, "count": N}
Errors: {"error": {"code": "...", "message": "...", "fields": {"name": ["..."]}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from marketplace.incoming import FilesTooLarge

Fields = Mapping[str, list[str]]


class ApiError(exceptions.APIException):
    """Raised by services and views alike; becomes the envelope in the API and a message in pages."""

    def __init__(
        self,
        status_code: int,
        code: str,
        message: str,
        *,
        fields: Fields | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, code)
        self.status_code = status_code
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.wait = retry_after  # DRF turns `wait` into a Retry-After header


def conflict(code: str, message: str) -> ApiError:
    """409: the thing is in the wrong state for this."""
    return ApiError(status.HTTP_409_CONFLICT, code, message)


def too_large(code: str, message: str) -> ApiError:
    """413: over a limit of bytes."""
    return ApiError(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, code, message)


def invalid(code: str, message: str, fields: Fields | None = None) -> ApiError:
    """422: understood, and not acceptable."""
    return ApiError(status.HTTP_422_UNPROCESSABLE_ENTITY, code, message, fields=fields)


def too_many(message: str, retry_after: int = 1) -> ApiError:
    """429: come back in `retry_after` seconds."""
    return ApiError(status.HTTP_429_TOO_MANY_REQUESTS, "too_many", message, retry_after=retry_after)


def envelope(code: str, message: str, fields: Fields | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "fields": dict(fields or {})}}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every expected error with the envelope; anything else stays a 500 for Django to report."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        text = str(error) if isinstance(error, FilesTooLarge) else "The request is too large."
        error = too_large("too_large", text)
    elif isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        error = invalid("malformed", "The request has too many fields or files.")
    if not isinstance(error, exceptions.APIException):
        return None
    if getattr(error, "code", "") == "waking_up":
        context["request"]._request.is_waking = True  # for the log
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait) or 1)
    body, code = _body(error)
    return Response(body, status=code, headers=headers)


def _body(error: exceptions.APIException) -> tuple[dict[str, Any], int]:
    if isinstance(error, ApiError):
        return envelope(error.code, error.message, error.fields), error.status_code
    if isinstance(error, exceptions.ValidationError):
        return envelope("invalid", "Some fields can't be accepted.", _flatten(error.detail)), 422
    if isinstance(error, exceptions.ParseError):
        return envelope("malformed", str(error.detail)), 422
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return envelope("not_authenticated", str(error.detail)), 401
    code = getattr(error.detail, "code", None) or error.default_code
    return envelope(str(code), str(error.detail)), error.status_code


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Nested DRF errors as {"a.b": ["text"]}."""
    if isinstance(detail, Mapping):
        fields: dict[str, list[str]] = {}
        for key, value in detail.items():
            fields.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return fields
    if isinstance(detail, list) and any(isinstance(part, Mapping) for part in detail):
        fields = {}
        for index, part in enumerate(detail):
            fields.update(_flatten(part, f"{prefix}.{index}" if prefix else str(index)))
        return fields
    texts = detail if isinstance(detail, list) else [detail]
    return {prefix or "non_field": [str(text) for text in texts]}


class Pagination(PageNumberPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "next": self.get_next_link(), "count": self.page.paginator.count})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "next", "count"],
            "properties": {
                "items": schema,
                "next": {"type": "string", "format": "uri", "nullable": True},
                "count": {"type": "integer"},
            },
        }
