"""A job's results enter the drive: files are renamed, not copied.

It can be called again with the same items at any time, by two callers at once, and after a crash at any
line. An item is known by its `origin`: whichever call comes first makes the row, the others find it. The
moves come before the commit, so a crash between them leaves bytes in the drive without a row; the next call
finds them under their hash and makes the row. (Purge leaves such bytes alone for a day.)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from apps.drive import locks, names, storage, tasks
from apps.drive.models import Attachment, Folder, Image
from marketplace.api import conflict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdoptedFile:
    """A file that belongs to a result: text, HTML."""

    path: Path
    name: str
    media_type: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Adopted:
    """A result image. `width` and `height` as seen; `format` as in Image."""

    path: Path
    name: str
    sha256: str
    format: str
    bytes: int
    width: int
    height: int
    origin: str
    attachments: Sequence[AdoptedFile] = ()


def adopt(owner_id: str, folder: Folder, items: Sequence[Adopted]) -> list[Image]:
    """The images of `items`, in their order; made where they are not there yet.

    An item whose file is gone from its place and from the drive, or is not as long as it says, is left out
    and logged: compare by `origin`. Counts against the quota, but never fails for it: the work is done.
    409 `folder_gone` if the folder was deleted for good. Hand over one chunk at a time.
    """
    storage.sync_all(file.path for item in items for file in (item, *item.attachments))
    with locks.owner(owner_id):
        if not Folder.objects.filter(pk=folder.pk, owner_id=owner_id).exists():
            raise conflict("folder_gone", "The folder was deleted.")
        known = {image.origin: image for image in Image.objects.filter(origin__in=[i.origin for i in items])}
        taken = _taken(folder, items)
        made = []
        for item in items:
            if item.origin in known:
                continue
            image = _make(owner_id, folder, item, taken)
            if image is not None:
                known[item.origin] = image
                made.append(image.pk)
        if made:
            storage.sync_all([storage.drive_dir() / owner_id])
            transaction.on_commit(lambda: tasks.enqueue_thumbnails(made), robust=True)
    return [known[item.origin] for item in items if item.origin in known]


def _taken(folder: Folder, items: Sequence[Adopted]) -> set[str]:
    """Every living name in the folder; a job's output folder holds its own results and little else."""
    live = Image.objects.filter(folder=folder, trashed_at=None)
    return set(live.values_list("name", flat=True)) if items else set()


def _make(owner_id: str, folder: Folder, item: Adopted, taken: set[str]) -> Image | None:
    files = [file for file in item.attachments if _take(owner_id, file, item.origin)]
    if not _take(owner_id, item, item.origin):
        return None
    name = names.tidy(item.name, names.IMAGE_CHARS, f"result.{item.format}")
    name = names.free(name, taken, names.IMAGE_CHARS)
    taken.add(name)
    image = Image.objects.create(
        owner_id=owner_id,
        folder=folder,
        name=name,
        sha256=item.sha256,
        format=item.format,
        bytes=item.bytes,
        attached_bytes=sum(file.bytes for file in files),
        width=item.width,
        height=item.height,
        origin=item.origin,
    )
    used: set[str] = set()
    for file in files:
        label = names.free(names.tidy(file.name, names.IMAGE_CHARS, "file"), used, names.IMAGE_CHARS)
        used.add(label)
        Attachment.objects.create(
            image=image, name=label, media_type=file.media_type, sha256=file.sha256, bytes=file.bytes
        )
    return image


def _take(owner_id: str, file: Adopted | AdoptedFile, origin: str) -> bool:
    there = storage.take(file.path, owner_id, file.sha256, file.bytes)
    if not there:
        log.error("result %s of %s is gone or not %d bytes long", file.path, origin, file.bytes)
    return there
