"""Answers that carry bytes of the drive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header

from apps.drive import archive, storage, thumbnails
from apps.drive.inspect import MEDIA_TYPES
from apps.drive.metadata import strip_location
from apps.drive.models import Attachment, Image

# The bytes behind an id never change. `private`: they belong to whoever is logged in.
_FOREVER = "private, max-age=31536000, immutable"
_SHARED = "private, max-age=300"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def content(
    request: HttpRequest, image: Image, *, keep_location: bool, download: bool = False, shared: bool = False
) -> HttpResponseBase:
    """A photo's bytes; without its place unless `keep_location`."""
    tag = f'"{image.sha256}"' if keep_location else f'"{image.sha256}-np"'
    media_type = MEDIA_TYPES.get(image.format, "application/octet-stream")
    cache = _SHARED if shared else _FOREVER
    if _is_known(request, tag):
        return _finish(HttpResponseNotModified(), tag, cache)
    path = storage.blob_path(image.owner_id, image.sha256)
    try:
        if keep_location:
            response = _file(request, path, media_type)
        else:
            response = _part(request, strip_location(path.read_bytes(), image.format), media_type)
    except FileNotFoundError:
        raise Http404("the bytes are gone") from None
    response["Content-Disposition"] = content_disposition_header(download, image.name) or "inline"
    response["Accept-Ranges"] = "bytes"
    return _finish(response, tag, cache)


def thumbnail(
    request: HttpRequest, image: Image, *, shared: bool = False, large: bool = False
) -> HttpResponseBase:
    """A WebP without metadata; `large` fills a screen."""
    tag = f'"{image.sha256}-{"v" if large else "t"}1"'
    cache = _SHARED if shared else _FOREVER
    if _is_known(request, tag):
        return _finish(HttpResponseNotModified(), tag, cache)
    try:
        make = thumbnails.ensure_view if large else thumbnails.ensure
        path = make(image.owner_id, image.sha256)
        response = HttpResponse(path.read_bytes(), content_type="image/webp")
    except FileNotFoundError:
        raise Http404("the bytes are gone") from None
    return _finish(response, tag, cache)


def attachment(request: HttpRequest, file: Attachment) -> HttpResponseBase:
    """Always as a download: HTML that a job made must not run as a page of ours."""
    path = storage.blob_path(file.image.owner_id, file.sha256)
    try:
        response = FileResponse(path.open("rb"), content_type=file.media_type)
    except FileNotFoundError:
        raise Http404("the bytes are gone") from None
    response["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return _finish(response, f'"{file.sha256}"', _FOREVER)


def zip_file(name: str, entries: Iterable[archive.Entry], *, keep_location: bool) -> HttpResponseBase:
    """A zip, made while it is sent: nothing is written to disk, and memory holds one photo."""
    response = StreamingHttpResponse(
        archive.stream(entries, keep_location=keep_location), content_type="application/zip"
    )
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.zip") or "attachment"
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Accel-Buffering"] = "no"
    return response


def _finish(response: HttpResponseBase, tag: str, cache: str) -> HttpResponseBase:
    response["ETag"] = tag
    response["Cache-Control"] = cache
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _is_known(request: HttpRequest, tag: str) -> bool:
    sent = request.headers.get("If-None-Match", "")
    return tag in [part.strip().removeprefix("W/") for part in sent.split(",")]


def _file(request: HttpRequest, path: Path, media_type: str) -> HttpResponseBase:
    file = path.open("rb")
    size = path.stat().st_size
    wanted = _range(request, size)
    if wanted is None:
        return FileResponse(file, content_type=media_type)
    with file:
        if wanted == (0, 0):
            return _unsatisfiable(size)
        file.seek(wanted[0])
        return _partial(file.read(wanted[1] - wanted[0]), wanted, size, media_type)


def _part(request: HttpRequest, data: bytes, media_type: str) -> HttpResponseBase:
    wanted = _range(request, len(data))
    if wanted is None:
        return HttpResponse(data, content_type=media_type)
    if wanted == (0, 0):
        return _unsatisfiable(len(data))
    return _partial(data[slice(*wanted)], wanted, len(data), media_type)


def _range(request: HttpRequest, size: int) -> tuple[int, int] | None:
    """(start, end) of a single byte range; None: all of it; (0, 0): beyond the end."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if not match or match[0] == "bytes=-" or "If-Range" in request.headers:
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    return (start, end) if start < end else (0, 0)


def _partial(data: bytes, wanted: tuple[int, int], size: int, media_type: str) -> HttpResponse:
    response = HttpResponse(data, status=206, content_type=media_type)
    response["Content-Range"] = f"bytes {wanted[0]}-{wanted[1] - 1}/{size}"
    return response


def _unsatisfiable(size: int) -> HttpResponse:
    response = HttpResponse(status=416)
    response["Content-Range"] = f"bytes */{size}"
    return response
