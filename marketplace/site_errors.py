"""What people and programs see when something is wrong: a page in plain words, or the API's envelope."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.views.decorators.csrf import csrf_exempt, requires_csrf_token

from marketplace.api import envelope
from marketplace.incoming import FilesTooLarge


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


@csrf_exempt
def unknown_api(request: HttpRequest, path: str = "") -> JsonResponse:
    """Every path below /api/ that nothing else answers."""
    return _json(404, "not_found", f"There is nothing at {request.path}. The API is described at /api/docs.")


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    if isinstance(exception, FilesTooLarge):
        return _answer(request, 413, "too_large", str(exception))
    return _answer(request, 400, "bad_request", "The request can't be understood.")


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return _answer(request, 403, "forbidden", "This needs rights that your account does not have.")


@requires_csrf_token
def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    text = "The form was open for too long, or cookies are off. Go back, reload the page and send it again."
    return _answer(request, 403, "csrf_failed", text)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return _answer(request, 404, "not_found", "There is nothing at this address, or it is not yours.")


def too_many(request: HttpRequest) -> HttpResponseBase:
    """For allauth: its limits on log-ins, sign-ups and mail."""
    response = _answer(
        request, 429, "too_many", "That was tried too often in a short time. Wait a minute, then try again."
    )
    response["Retry-After"] = "60"
    return response


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Rendered without context: what made the error may make it again."""
    if is_api(request):
        return _json(500, "server_error", "The server made an error. It was logged.")
    return HttpResponse(get_template("500.html").render(), status=500)


def _answer(request: HttpRequest, status: int, code: str, message: str) -> HttpResponseBase:
    if is_api(request):
        return _json(status, code, message)
    context: dict[str, Any] = {"message": message, "title": HTTPStatus(status).phrase.capitalize()}
    return render(request, "error.html", context, status=status)


def _json(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse(envelope(code, message), status=status)
