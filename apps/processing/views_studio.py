"""The studio: an app's options beside one photo, before and after; then run them over a folder."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
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
from apps.processing.shown import colours_of, takes_photo
from apps.processing.views_folders import FolderChoice, folder_choices
from marketplace.api import ApiError
from marketplace.ids import is_id

FILMSTRIP = 60  # photos in one answer of `photos`
SEARCHED_FROM = 9  # so many apps have a search
TABS = 8  # apps of the same kind beside the open one
KINDS = {
    "filter": ("Filters", "icons/wand.svg"),
    "detection": ("Detectors", "icons/search.svg"),
    "generation": ("Generators", "icons/image.svg"),
    "classification": ("Classifiers", "icons/eye.svg"),
}
MAX_OPTIONS = 20_000  # characters of ?options=


@login_required
@require_safe
def studio(request: HttpRequest) -> HttpResponse:
    """Choose an app, of ?q= if given. With ?app= straight to it; ?image= and ?folder= are handed on."""
    query = request.GET.copy()
    app_ids = query.pop("app", [])
    q = (query.pop("q", [""])[-1]).strip()[:100]
    rest = f"?{query.urlencode()}" if query else ""
    if app_ids:
        return redirect(reverse("studio-app", args=[app_ids[-1]]) + rest)
    apps = catalog.apps_for(request.user)
    context = {
        "groups": _grouped([app for app in apps if _has(app, q)]),
        "only_filters": not q and all(app.kind == "filter" for app in apps),
        "searched": len(apps) >= SEARCHED_FROM or bool(q),
        "q": q,
        "kept": list(query.items()),
        "rest": rest,
    }
    return render(request, "processing/studio_apps.html", context)


def _has(app: App, q: str) -> bool:
    return q.casefold() in f"{app.title} {app.summary} {app.kind}".casefold()


def _grouped(apps: list[App]) -> list[dict[str, Any]]:
    """By kind, in the order of KINDS."""
    groups = [
        {"kind": kind, "title": title, "icon": icon, "apps": [app for app in apps if app.kind == kind]}
        for kind, (title, icon) in KINDS.items()
    ]
    return [group for group in groups if group["apps"]]


@login_required
@require_safe
def studio_app(request: HttpRequest, app_id: str) -> HttpResponse:
    """One app's options and a photo. ?image=, ?folder= and ?options= (JSON) make it bookmarkable."""
    user = request.user
    try:
        app = catalog.app_for(user, app_id)
    except ApiError as error:  # weights that were taken down: their page says why
        messages.error(request, error.message)
        return redirect("market-listing", app_id)
    image, folder, missing = _opened(user, request)
    values, errors = _options(app, request.GET.get("options", ""))
    folders = folder_choices(user)
    folder_id = folder.pk if folder else ""
    context = {
        "app": app,
        "siblings": _siblings(app, catalog.apps_for(user)),
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


def _siblings(app: App, apps: list[App]) -> list[App]:
    """The app and others of its kind, for the tabs; the open one is always among them."""
    others = [one for one in apps if one.kind == app.kind]
    return others if len(others) <= TABS else [app, *(one for one in others if one.id != app.id)][:TABS]


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
        "kind": app.kind,
        "outputs": list(app.outputs),
        "takes_photo": takes_photo(app),
        "hues": colours_of(app).hues,
        "options": _told(app),
        "price": app.price_per_image,
        "image": _photo(image) if image else None,
        "folder": folder_id,
        "folders": {choice.id: choice.images for choice in folders},
    }


def _told(app: App) -> dict[str, dict[str, Any]]:
    """What scripts need to know of a detector's options."""
    properties = app.params_schema.get("properties", {})
    return {
        name: {key: properties[name].get(key) for key in ("default", "minimum")}
        for name in ("confidence", "draw")
        if app.kind == "detection" and name in properties
    }
