"""An app on one photo, at once, on a preview server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.accounts.models import User
from apps.cluster.endpoints import File, send_preview
from apps.drive import access, inspect, storage
from apps.processing import catalog
from apps.processing.catalog import App
from apps.processing.services import charging
from marketplace.api import ApiError, invalid

# What can be asked for -> the output of the app that it shows.
ANSWERS = {"image/*": "image", "text/plain": "text", "text/html": "html", "application/json": ""}


@dataclass(frozen=True)
class Preview:
    """The preview server's answer, ready to hand on."""

    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)  # Server-Timing


def preview(
    user: User,
    app: App,
    *,
    upload: UploadedFile | None = None,
    image: str | None = None,
    params: dict[str, Any] | None = None,
    accept: str = "image/*",
    price: int | None = None,
    key: str | None = None,
) -> Preview:
    """Run an app that the user may run: on `upload` or on the drive image with id `image`, one of them.

    `accept`: image/*, text/plain, text/html or application/json. An app with a price is charged for one
    photo, once for a `key` (Idempotency-Key), and not for a preview that fails. `price`: what the user was
    told that it costs.
    Errors as ApiError: 404 image, 406 `not_acceptable`, 409 `price_changed`, `insufficient_credits`,
    `in_debt`, `idempotency_key_reused`, 413/422 photo or options, 429 `too_many`,
    502 `preview_failed`, 503 `waking_up`, `no_preview_server`, 504 `preview_timeout`.
    """
    charging.agreed(price, app.price_per_image)
    fields, files = _question(user, app, upload, image, params, accept)
    # Hashing the photo once more is for what is charged; most previews are free.
    digest = _digest(fields, files, accept) if app.price_per_image else ""
    with charging.preview(user, app, key, digest):
        return _send(app, fields, files, accept)


def free_preview(
    user: User,
    app: App,
    *,
    upload: UploadedFile | None = None,
    image: str | None = None,
    params: dict[str, Any] | None = None,
    accept: str = "image/*",
) -> Preview:
    """The same with an app that the user may not run, for nothing. Who calls this has decided that it may be,
    and marks the answer. Errors as of `preview`."""
    fields, files = _question(user, app, upload, image, params, accept)
    return _send(app, fields, files, accept)


def _question(
    user: User,
    app: App,
    upload: UploadedFile | None,
    image: str | None,
    params: dict[str, Any] | None,
    accept: str,
) -> tuple[dict[str, str], dict[str, tuple[str, bytes, str]]]:
    """The checked question to a preview server: its fields, and the photo unless it lies in the drive, which
    pods don't see."""
    check_accept(app, accept)
    if (upload is None) == (image is None):
        text = "send either a file or the id of one of your photos"
        raise invalid("invalid", "A preview needs one photo.", {"file": [text]})
    checked = catalog.validate(app, params or {})
    hashes = catalog.freeze_assets(user, app, checked)
    assets = {name: [f"{user.pk}/{sha256}" for sha256 in mine] for name, mine in hashes.items()}
    fields = {"params": json.dumps(checked), "assets": json.dumps(assets)}
    if app.weights:
        fields["weights"] = app.weights
    if image is not None:
        photo = access.image_for(user, image)
        if settings.ENGINE == "kubernetes":
            content = storage.blob_path(photo.owner_id, photo.sha256).read_bytes()
            return fields, {"file": ("photo", content, inspect.MEDIA_TYPES[photo.format])}
        return fields | {"path": f"{photo.owner_id}/{photo.sha256}"}, {}
    with storage.stage(upload, settings.MAX_IMAGE_BYTES) as staged:
        opened, header = inspect.open_image(staged.path)
        opened.close()
        file = ("photo", staged.path.read_bytes(), inspect.MEDIA_TYPES[header.format])
    return fields, {"file": file}


def _digest(fields: dict[str, str], files: dict[str, tuple[str, bytes, str]], accept: str) -> str:
    """sha256 of what was asked for: an Idempotency-Key stands for this and nothing else."""
    photo = files["file"][1] if files else b""
    asked = json.dumps([sorted(fields.items()), accept, hashlib.sha256(photo).hexdigest()])
    return hashlib.sha256(asked.encode()).hexdigest()


def check_accept(app: App, accept: str) -> None:
    """406 if the app makes nothing of that kind."""
    output = ANSWERS.get(accept)
    if output is None or (output and output not in app.outputs):
        kinds = [kind for kind, output in ANSWERS.items() if not output or output in app.outputs]
        text = f"{app.title} can answer with {', '.join(kinds)}."
        raise ApiError(406, "not_acceptable", text)


def _send(app: App, fields: dict[str, str], files: Mapping[str, File], accept: str) -> Preview:
    answer = send_preview(app.path, fields, files, accept, settings.PREVIEW_SECONDS, app.package)
    if answer.status_code != 200:
        _refuse(answer)
    timing = answer.headers.get("Server-Timing")
    return Preview(
        content_type=answer.headers.get("Content-Type", "application/octet-stream"),
        body=answer.content,
        headers={"Server-Timing": timing} if timing else {},
    )


def _refuse(answer: Any) -> NoReturn:
    """The preview server's own refusals are about photo and options; anything else is its failure."""
    try:
        error = answer.json()["error"]
        code, message, fields = str(error["code"]), str(error["message"]), dict(error.get("fields") or {})
    except (ValueError, KeyError, TypeError):
        code = message = ""
        fields = {}
    if answer.status_code in {404, 413, 422} and code:
        status = 422 if answer.status_code == 404 else answer.status_code
        raise ApiError(status, code, message, fields=fields)
    text = "The preview server could not make this preview. Nothing was changed; try again."
    raise ApiError(502, "preview_failed", text)
