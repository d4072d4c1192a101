"""The owner's pages. What they change, they change through the REST API (see static/drive/js)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST, require_safe

from apps.drive import access, archive, camera, queries, serving, storage
from apps.drive.models import Folder
from apps.drive.services import quota, selection, shares
from marketplace.api import ApiError

_DAY = 86400
_MOST_Q = 200  # characters of a search: no name is longer
EXPIRIES = [("7 days", 7 * _DAY), ("30 days", 30 * _DAY), ("1 day", _DAY), ("Never", 0)]


# What the page offers of `queries.ORDERS`; the API has them all.
_SORTS = [("name", "Name"), ("-created", "Newest first"), ("-bytes", "Largest first")]


def _context(request: HttpRequest, folder: Folder | None) -> dict[str, Any]:
    page = _page(request, folder) if folder else queries.Page([], None)
    looking = _looking(request)
    return {
        **looking,
        "sorts": _SORTS,
        "found_count": queries.found_images(folder, looking["q"]).count() if folder else 0,
        "folder": folder,
        "path": folder.path[:-1] if folder else [],
        "subfolders": queries.subfolders(request.user, folder),
        "images": page.images,
        "more": page.next,
        "image_count": queries.live_images(folder).count() if folder else 0,
        "usage": quota.usage(request.user),
        "max_bytes": settings.MAX_IMAGE_BYTES,
    }


def _looking(request: HttpRequest) -> dict[str, Any]:
    """What is looked for in a folder and in which order, from the address; `look` is both for other
    addresses. An order that the page does not know is the usual one."""
    q = request.GET.get("q", "").strip()[:_MOST_Q]
    order = request.GET.get("order", "")
    order = order if order in dict(_SORTS) else "name"
    asked = {"q": q, "order": "" if order == "name" else order}
    return {"q": q, "order": order, "look": urlencode({name: text for name, text in asked.items() if text})}


def _page(request: HttpRequest, folder: Folder) -> queries.Page:
    looking = _looking(request)
    try:
        return queries.images_page(folder, request.GET.get("cursor"), q=looking["q"], order=looking["order"])
    except ValueError:
        raise Http404("no such page") from None


@login_required
@require_safe
def top(request: HttpRequest) -> HttpResponse:
    return render(request, "drive/folder.html", _context(request, None))


@login_required
@require_safe
def folder_page(request: HttpRequest, folder_id: str) -> HttpResponse:
    folder = access.folder_for(request.user, folder_id)
    return render(request, "drive/folder.html", _context(request, folder))


@login_required
@require_GET
def more(request: HttpRequest, folder_id: str) -> HttpResponse:
    """The next photos of a folder, as list items that take the place of the last one."""
    folder = access.folder_for(request.user, folder_id)
    page = _page(request, folder)
    context = {"folder": folder, "images": page.images, "more": page.next, "look": _looking(request)["look"]}
    return render(request, "drive/tiles.html", context)


@login_required
@require_safe
def photo(request: HttpRequest, image_id: str) -> HttpResponse:
    image = access.image_for(request.user, image_id)
    before, after = queries.image_neighbours(image)
    context = {
        "image": image,
        "folder": image.folder,
        "path": image.folder.path,
        "before": before,
        "after": after,
        "attachments": image.attachments.order_by("name"),
        "facts": camera.facts(storage.blob_path(image.owner_id, image.sha256)),
    }
    return render(request, "drive/photo.html", context)


@login_required
@require_safe
def thumb(request: HttpRequest, image_id: str) -> HttpResponseBase:
    """Also of a photo in the trash."""
    return serving.thumbnail(request, access.any_image_for(request.user, image_id))


@login_required
@require_safe
def view(request: HttpRequest, image_id: str) -> HttpResponseBase:
    """Large enough to fill a screen, in a format that browsers show."""
    return serving.thumbnail(request, access.image_for(request.user, image_id), large=True)


@login_required
@require_GET
def tree(request: HttpRequest) -> HttpResponse:
    """All folders to choose one from, for the move dialog; those in `not` and below them are left out."""
    hidden = set(request.GET.getlist("not"))
    nodes = []
    for node in queries.tree(request.user):
        if node.folder.pk in hidden or node.folder.parent_id in hidden:
            hidden.add(node.folder.pk)
        else:
            nodes.append(node)
    here = request.GET.get("here", "")
    return render(request, "drive/tree.html", {"nodes": nodes, "here": here, "top": "top" in request.GET})


@login_required
@require_POST
def download(request: HttpRequest) -> HttpResponseBase:
    """What is selected, as a zip; without places, as every export."""
    whole = request.POST.get("images_in")
    chosen = selection.Selection(
        access.ids(request.POST.getlist("folder")),
        access.ids(request.POST.getlist("image")),
        access.folder_for(request.user, whole) if whole else None,
    )
    folders = [access.folder_for(request.user, pk) for pk in chosen.folder_ids]
    images = selection.living_images(request.user, chosen).order_by("name", "pk")
    name = folders[0].name if len(folders) == 1 and not chosen.image_ids else "photos"
    return serving.zip_file(name, archive.of_selection(folders, images), keep_location=False)


@login_required
@require_safe
def trash(request: HttpRequest) -> HttpResponse:
    size = 60
    pages = Paginator(range(queries.trash_count(request.user)), size)
    page = pages.get_page(request.GET.get("page"))
    rows = queries.trash(request.user, (page.number - 1) * size, size)
    context = {
        "rows": rows,
        "page": page,
        "days": settings.TRASH_DAYS,
        "usage": quota.usage(request.user),
    }
    return render(request, "drive/trash.html", context)


@login_required
@require_GET
def share_list(request: HttpRequest, folder_id: str) -> HttpResponse:
    """The inside of the share dialog."""
    return _shares(request, access.folder_for(request.user, folder_id))


@login_required
@require_POST
def share_create(request: HttpRequest, folder_id: str) -> HttpResponse:
    folder = access.folder_for(request.user, folder_id)
    seconds = {str(value): value or None for _, value in EXPIRIES}
    chosen = request.POST.get("expires_in", "")
    if chosen not in seconds:
        return _shares(request, folder, "Choose how long the link works.", status=422)
    try:
        shares.create(folder, seconds[chosen])
    except ApiError as error:
        return _shares(request, folder, error.message, status=error.status_code)
    return _shares(request, folder)


@login_required
@require_POST
def share_revoke(request: HttpRequest, share_id: str) -> HttpResponse:
    share = access.share_for(request.user, share_id)
    shares.revoke(share)
    return _shares(request, share.folder)


def _shares(request: HttpRequest, folder: Folder, error: str = "", status: int = 200) -> HttpResponse:
    links = [(share, shares.url(share)) for share in queries.shares(request.user, folder)]
    context = {"folder": folder, "links": links, "expiries": EXPIRIES, "error": error}
    return render(request, "drive/shares.html", context, status=status)
