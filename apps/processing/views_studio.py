"""The studio: an app's options beside one photo, before and after; then run them over a folder."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.cluster.services.balancing import current_policy, policy_names
from apps.drive import access
from apps.drive.models import Folder, Image
from apps.drive.queries import live_images
from apps.processing import catalog
from apps.processing.catalog import App
from apps.processing.views_folders import FolderChoice, folder_choices
from marketplace.api import ApiError
from marketplace.ids import is_id

FILMSTRIP = 60  # photos in one answer of `photos`
MAX_OPTIONS = 20_000  # characters of ?options=


@login_required
@require_safe
def studio(request: HttpRequest) -> HttpResponse:
    """Choose an app. With ?app= straight to it; ?image= and ?folder= are handed on."""
    query = request.GET.copy()
    app_ids = query.pop("app", [])
    rest = f"?{query.urlencode()}" if query else ""
    if app_ids:
        return redirect(reverse("studio-app", args=[app_ids[-1]]) + rest)
    context = {"apps": catalog.apps_for(request.user), "rest": rest}
    return render(request, "processing/studio_apps.html", context)


@login_required
@require_safe
def studio_app(request: HttpRequest, app_id: str) -> HttpResponse:
    """One app's options and a photo. ?image=, ?folder= and ?options= (JSON) make it bookmarkable."""
    user = request.user
    app = catalog.app_for(user, app_id)
    image, folder, missing = _opened(user, request)
    values, errors = _options(app, request.GET.get("options", ""))
    folders = folder_choices(user)
    folder_id = folder.pk if folder else ""
    context = {
        "app": app,
        "apps": catalog.apps_for(user),
        "values": values,
        "errors": errors,
        "missing": missing,
        "image": image,
        "folder_id": folder_id,
        "folders": folders,
        "policies": policy_names(),
        "policy": current_policy(),
        "config": _config(app, image, folder_id, folders),
    }
    return render(request, "processing/studio.html", context)


@login_required
@require_safe
def photos(request: HttpRequest, folder_id: str) -> JsonResponse:
    """A stretch of a folder's photos for the film strip: from ?offset=, or around the photo ?image=."""
    folder = access.folder_for(request.user, folder_id)
    images = live_images(folder)
    offset = _offset(request, images)
    items = [_photo(image) for image in images[offset : offset + FILMSTRIP]]
    return JsonResponse({"items": items, "offset": offset, "total": images.count()})


def _offset(request: HttpRequest, images: Any) -> int:
    image_id = request.GET.get("image", "")
    wanted = images.filter(pk=image_id).first() if is_id(image_id) else None
    if wanted is not None:
        before = images.filter(Q(name__lt=wanted.name) | Q(name=wanted.name, pk__lt=wanted.pk)).count()
        return before - before % FILMSTRIP
    text = request.GET.get("offset", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _opened(user: User, request: HttpRequest) -> tuple[Image | None, Folder | None, str]:
    """The photo and the folder that the address names, and in words what of it is not there any more.

    A folder without a photo opens its first one; a photo without a folder opens the one it lies in.
    """
    missing = ""
    image = folder = None
    if request.GET.get("image"):
        try:
            image = access.image_for(user, request.GET["image"])
        except Http404:
            missing = "The photo of this address is not in your drive. Pick another one."
    if request.GET.get("folder"):
        try:
            folder = access.folder_for(user, request.GET["folder"])
        except Http404:
            missing = "The folder of this address is not in your drive. Pick another one."
    if image is not None and folder is None:
        folder = image.folder
    if image is None and folder is not None and not missing:
        image = live_images(folder).first()
    return image, folder, missing


def _options(app: App, text: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The options of the address, and what is wrong with them: shown at the fields, never an error page."""
    if not text or len(text) > MAX_OPTIONS:
        return {}, {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}, {}
    if not isinstance(values, dict):
        return {}, {}
    try:
        catalog.validate(app, values)
    except ApiError as error:
        return values, {name: list(texts) for name, texts in error.fields.items()}
    return values, {}


def _photo(image: Image) -> dict[str, Any]:
    return {
        "id": image.pk,
        "name": image.name,
        "width": image.width,
        "height": image.height,
        "thumbnail": reverse("drive-thumb", args=[image.pk]),
        "content": reverse("drive-view", args=[image.pk]),
    }


def _config(app: App, image: Image | None, folder_id: str, folders: list[FolderChoice]) -> dict[str, Any]:
    """What the page's scripts need to know."""
    return {
        "app": app.id,
        "outputs": list(app.outputs),
        "image": _photo(image) if image else None,
        "folder": folder_id,
        "folders": {choice.id: choice.images for choice in folders},
    }
