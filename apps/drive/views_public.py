"""What anyone with a share link sees: read-only, without places, never more than the shared folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.drive import access, archive, queries, serving
from apps.drive.models import ShareLink

View = Callable[..., HttpResponseBase]


def _public(view: View) -> View:
    """404 in words, and nothing that lets a search engine or another site keep the address."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            response = render(request, "drive/share_gone.html", status=404)
        response["X-Robots-Tag"] = "noindex, nofollow"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return require_safe(wrapped)


def _until(share: ShareLink) -> dict[str, Any]:
    return {"share": share, "token": share.token, "now": timezone.now()}


@_public
def folder(request: HttpRequest, token: str, folder_id: str | None = None) -> HttpResponse:
    share, shown = access.shared_folder(token, folder_id)
    page = _page(request, shown)
    context = {
        **_until(share),
        "folder": shown,
        "path": shown.path[:-1],
        "subfolders": queries.subfolders(shown.owner, shown),
        "images": page.images,
        "more": page.next,
        "image_count": queries.live_images(shown).count(),
    }
    return render(request, "drive/share.html", context)


@_public
def more(request: HttpRequest, token: str, folder_id: str) -> HttpResponse:
    share, shown = access.shared_folder(token, folder_id)
    page = _page(request, shown)
    context = {**_until(share), "folder": shown, "images": page.images, "more": page.next}
    return render(request, "drive/share_tiles.html", context)


@_public
def photo(request: HttpRequest, token: str, image_id: str) -> HttpResponse:
    share, image = access.shared_image(token, image_id)
    before, after = queries.image_neighbours(image)
    context = {
        **_until(share),
        "image": image,
        "folder": image.folder,
        "path": image.folder.path,
        "before": before,
        "after": after,
    }
    return render(request, "drive/share_photo.html", context)


@_public
def thumb(request: HttpRequest, token: str, image_id: str) -> HttpResponseBase:
    _, image = access.shared_image(token, image_id)
    return serving.thumbnail(request, image, shared=True)


@_public
def view(request: HttpRequest, token: str, image_id: str) -> HttpResponseBase:
    _, image = access.shared_image(token, image_id)
    return serving.thumbnail(request, image, shared=True, large=True)


@_public
def content(request: HttpRequest, token: str, image_id: str) -> HttpResponseBase:
    _, image = access.shared_image(token, image_id)
    download = "download" in request.GET
    return serving.content(request, image, keep_location=False, download=download, shared=True)


@_public
def archive_of(request: HttpRequest, token: str, folder_id: str) -> HttpResponseBase:
    _, shown = access.shared_folder(token, folder_id)
    return serving.zip_file(shown.name, archive.of_folder(shown), keep_location=False)


def _page(request: HttpRequest, shown: Any) -> queries.Page:
    try:
        return queries.images_page(shown, request.GET.get("cursor"))
    except ValueError:
        raise Http404("no such page") from None
