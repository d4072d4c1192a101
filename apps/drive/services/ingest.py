"""A job's results enter the drive: files are renamed, not copied.

It can be called again with the same items at any time, by two callers at once, and after a crash at any
line. An item is known by its `origin`: whichever call comes first makes the row, the others find it. The
moves come before the commit, so a crash between them leaves bytes in the drive without a row; the next call
finds them under their hash and makes the row. (Purge leaves such bytes alone for a day.) Thumbnails come
later, so as not to take processors from the job: when it has ended (`tasks.enqueue_folder`), or when
somebody looks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.drive import locks, names, storage
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
    synced = _sync(owner_id, items)
    with locks.owner(owner_id):
        if not Folder.objects.filter(pk=folder.pk, owner_id=owner_id).exists():
            raise conflict("folder_gone", "The folder was deleted.")
        known = {image.origin: image for image in Image.objects.filter(origin__in=[i.origin for i in items])}
        new = {item.origin: item for item in reversed(items) if item.origin not in known}
        moved = [(item, files) for item in reversed(new.values()) if (files := _move(owner_id, item, synced))]
        made = _make_rows(owner_id, folder, moved)
        known |= {image.origin: image for image in made}
        if made:
            storage.sync_all([storage.drive_dir() / owner_id])
    return [known[item.origin] for item in items if item.origin in known]


def _sync(owner_id: str, items: Sequence[Adopted]) -> set[Path]:
    """What is to be moved goes onto the disk; what lies in the drive is there already. Before the lock is
    taken, because it can take long."""
    paths = {
        file.path
        for item in items
        for file in (item, *item.attachments)
        if not storage.blob_path(owner_id, file.sha256).exists()
    }
    storage.sync_all(paths)
    return paths


def _move(owner_id: str, item: Adopted, synced: set[Path]) -> list[Adopted | AdoptedFile]:
    """Its files into the drive; those that are there now, the image first. Empty without the image."""
    there: list[Adopted | AdoptedFile] = []
    for file in (item, *item.attachments):
        if file.path not in synced and not storage.blob_path(owner_id, file.sha256).exists():
            storage.sync_all([file.path])  # it was in the drive a moment ago, and has been purged since
        if storage.take(file.path, owner_id, file.sha256, file.bytes):
            there.append(file)
        else:
            log.error("result %s of %s is gone or not %d bytes long", file.path, item.origin, file.bytes)
            if file is item:
                return []
    return there


def _make_rows(
    owner_id: str, folder: Folder, moved: Sequence[tuple[Adopted, Sequence[Adopted | AdoptedFile]]]
) -> list[Image]:
    wanted = [names.tidy(item.name, names.IMAGE_CHARS, f"result.{item.format}") for item, _ in moved]
    taken = _taken(folder, wanted)
    images, attachments = [], []
    for (item, files), name in zip(moved, wanted, strict=True):
        free = names.free(name, taken, names.IMAGE_CHARS)
        taken.add(free)
        image = _image(owner_id, folder, item, free, sum(file.bytes for file in files[1:]))
        images.append(image)
        attachments += _attachments(image, files[1:])
    Image.objects.bulk_create(images)
    Attachment.objects.bulk_create(attachments)
    return images


def _taken(folder: Folder, wanted: Sequence[str]) -> set[str]:
    """The living names in the folder, where one of those wanted is among them. In a job's output folder, with
    its own results in it, that is rare."""
    live = Image.objects.filter(folder=folder, trashed_at=None)
    if not live.filter(name__in=wanted).exists():
        return set()
    return set(live.values_list("name", flat=True))


def _image(owner_id: str, folder: Folder, item: Adopted, name: str, attached_bytes: int) -> Image:
    return Image(
        owner_id=owner_id,
        folder=folder,
        name=name,
        sha256=item.sha256,
        format=item.format,
        bytes=item.bytes,
        attached_bytes=attached_bytes,
        width=item.width,
        height=item.height,
        origin=item.origin,
    )


def _attachments(image: Image, files: Sequence[Adopted | AdoptedFile]) -> list[Attachment]:
    made = []
    used: set[str] = set()
    for file in files:
        label = names.free(names.tidy(file.name, names.IMAGE_CHARS, "file"), used, names.IMAGE_CHARS)
        used.add(label)
        media_type = file.media_type if isinstance(file, AdoptedFile) else ""
        made.append(
            Attachment(image=image, name=label, media_type=media_type, sha256=file.sha256, bytes=file.bytes)
        )
    return made
