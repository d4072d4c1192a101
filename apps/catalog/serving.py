"""Answers that carry pictures. Access was checked by who calls; the bytes behind an address never change."""

from __future__ import annotations

from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified

from apps.catalog import storage
from apps.catalog.models import Picture, Version

_CACHE = "private, max-age=86400"


def sample(request: HttpRequest, version: Version, number: int) -> HttpResponseBase:
    known = {entry.get("number") for entry in version.card.get("samples", [])}
    if number not in known:
        raise Http404("There is no such sample.")
    return _answer(request, storage.sample_path(version.pk, number), "image/jpeg", f"{version.pk}-{number}")


def picture(request: HttpRequest, picture: Picture, *, small: bool) -> HttpResponseBase:
    path = storage.picture_path(picture.sha256, small=small)
    return _answer(request, path, "image/webp", f"{picture.sha256}{'-s' if small else ''}")


def _answer(request: HttpRequest, path: Path, media_type: str, tag: str) -> HttpResponseBase:
    tag = f'"{tag}"'
    known = tag in [
        part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")
    ]
    response: HttpResponseBase
    if known:
        response = HttpResponseNotModified()
    else:
        try:
            response = HttpResponse(path.read_bytes(), content_type=media_type)
        except FileNotFoundError:
            raise Http404("The picture is gone.") from None
    response["ETag"] = tag
    response["Cache-Control"] = _CACHE
    response["X-Content-Type-Options"] = "nosniff"
    return response
