"""What an owner does to photos.

Uploading: the bytes are staged and examined first, without a lock; then, under the owner's lock and in one
transaction, the folder is checked to be alive still, the quota is checked, the bytes get their name and the
row is made. If anything fails, neither row nor bytes stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.drive import locks, names, storage, thumbnails
from apps.drive.models import Folder, Image
from apps.drive.services import folders, quota
from marketplace.api import ApiError, invalid

_BATCH = 500  # ids in one statement


@dataclass(frozen=True)
class Added:
    """`duplicate_of` is the photo with the same bytes that was in the folder before, if there was one.
    Unless duplicates are kept, `image` is that photo."""

    image: Image
    duplicate_of: Image | None = None


def add(owner: User, folder: Folder, name: str, fileobj: BinaryIO) -> Image:
    """The photo in the folder; the one that is there already if it has the same bytes.

    A name that is taken gets a number. ApiError codes: bad_name, empty, unsupported_type, animated,
    truncated, corrupt (422), too_large, too_many_pixels, quota_exceeded (413), folder_gone (409),
    disk_full (507).
    """
    name = names.check_image(name)
    with storage.stage(fileobj, settings.MAX_IMAGE_BYTES) as staged:
        return put(owner, folder, name, staged).image


def put(
    owner: User,
    folder: Folder,
    name: str,
    staged: storage.Staged,
    *,
    below: Sequence[str] = (),
    keep_duplicates: bool = False,
) -> Added:
    """As `add`, for staged bytes. `below`: checked folder names, made below `folder` as needed."""
    staged.finish()
    header, thumb = thumbnails.examine(staged.path)
    staged.sync()
    with locks.owner(owner.pk):
        folders.check_alive(folder)
        target = folders.ensure_path(owner, folder, below)
        twin = _live(target).filter(sha256=staged.sha256).first()
        if twin and not keep_duplicates:
            return Added(twin, duplicate_of=twin)
        quota.check(owner, staged.bytes)
        staged.commit(owner.pk)
        image = Image(
            owner=owner,
            folder=target,
            name=name,
            sha256=staged.sha256,
            format=header.format,
            bytes=staged.bytes,
            width=header.width,
            height=header.height,
        )
        _insert(image)
        storage.write_derived(storage.thumb_path(owner.pk, image.sha256), thumb)
    return Added(image, duplicate_of=twin)


def change(image: Image, *, name: str | None = None, folder: Folder | None = None) -> Image:
    """Rename, move, or both at once. 409 `name_taken`, `folder_gone`; 422 `bad_name`."""
    name = image.name if name is None else names.check_image(name)
    with locks.owner(image.owner_id):
        if folder is not None:
            folders.check_alive(folder)
            image.folder = folder
        if _live(image.folder).filter(name=name).exclude(pk=image.pk).exists():
            raise _taken(name)
        image.name = name
        try:
            with transaction.atomic():
                image.save(update_fields=["name", "folder"])
        except IntegrityError as error:
            raise _taken(name) from error
    return image


def trash(image: Image) -> None:
    """Again is no error."""
    Image.objects.filter(pk=image.pk, trashed_at=None).update(trashed_at=timezone.now())


def restore(owner: User, image_ids: Iterable[str]) -> list[str]:
    """Back where they were, or into the nearest living folder above; if there is none, into a folder
    "Restored" at the top. With a number if the name is taken. Ids of those that are back."""
    with locks.owner(owner.pk):
        trashed = Image.objects.filter(owner=owner, pk__in=list(image_ids)).exclude(trashed_at=None)
        by_home: dict[str, list[tuple[str, str]]] = {}
        for pk, name, home in trashed.order_by("trashed_at", "pk").values_list("pk", "name", "folder_id"):
            by_home.setdefault(home, []).append((pk, name))
        for home, rows in by_home.items():
            target = folders.living_ancestor(home) or folders.ensure(owner, "Restored")[0]
            place(rows, target)
    return [pk for rows in by_home.values() for pk, _ in rows]


def place(rows: Sequence[tuple[str, str]], target: Folder) -> None:
    """Living photos (id, name) into a folder, out of another one or the trash; a name that is taken there
    gets a number. One update for all whose name is free. Hold the owner's lock."""
    taken = set(_live(target).values_list("name", flat=True))
    free: list[str] = []
    for pk, name in rows:
        found = names.free(name, taken, names.IMAGE_CHARS)
        taken.add(found)
        if found == name:
            free.append(pk)
        else:
            Image.objects.filter(pk=pk).update(folder=target, name=found, trashed_at=None)
    for start in range(0, len(free), _BATCH):
        batch = Image.objects.filter(pk__in=free[start : start + _BATCH])
        batch.update(folder=target, trashed_at=None)


def _live(folder: Folder) -> QuerySet[Image]:
    return Image.objects.filter(folder=folder, trashed_at=None)


def _taken(name: str) -> ApiError:
    message = f'There is a photo named "{name}" in this folder already.'
    return ApiError(409, "name_taken", message, fields={"name": [message]})


def _insert(image: Image) -> None:
    """Under the first free name. Should something take that name without holding the lock, the unique
    constraint says so, and the next one is tried."""
    wanted = image.name
    for _ in range(5):
        if _live(image.folder).filter(name=wanted).exists():
            similar = _live(image.folder).filter(name__startswith=names.stem_of(wanted))
            taken = set(similar.values_list("name", flat=True))
            image.name = names.free(wanted, taken, names.IMAGE_CHARS)
        try:
            with transaction.atomic():
                image.save(force_insert=True)
            return
        except IntegrityError:
            if not Folder.objects.filter(pk=image.folder_id).exists():
                raise
    raise invalid("bad_name", f'No name like "{wanted}" is free in this folder.')
