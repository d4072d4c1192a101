"""Several things at once: what a person has selected on a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.drive import locks, tree
from apps.drive.models import Folder, Image
from apps.drive.services import folders, images


@dataclass(frozen=True)
class Selection:
    """Ids of the owner's folders and photos; ids that are not the owner's, or not there, are passed over.

    `images_in`: every living photo directly in that folder as well, however many there are.
    """

    folder_ids: Iterable[str] = ()
    image_ids: Iterable[str] = ()
    images_in: Folder | None = None


@dataclass(frozen=True)
class Moved:
    """Ids of what went into the trash, or came out of it."""

    folders: list[str]
    images: list[str]


def living_folders(owner: User, chosen: Selection) -> QuerySet[Folder]:
    return Folder.objects.filter(owner=owner, pk__in=list(chosen.folder_ids), trashed_at=None)


def living_images(owner: User, chosen: Selection) -> QuerySet[Image]:
    named = Q(pk__in=list(chosen.image_ids))
    if chosen.images_in is not None:
        named |= Q(folder=chosen.images_in)
    return Image.objects.filter(named, owner=owner, trashed_at=None)


def trash(owner: User, chosen: Selection) -> Moved:
    """What was moved to the trash; hand it to `restore` to undo that."""
    with locks.owner(owner.pk):
        now = timezone.now()
        rows = living_folders(owner, chosen), living_images(owner, chosen)
        moved = Moved(*(list(some.values_list("pk", flat=True)) for some in rows))
        for some in rows:
            some.update(trashed_at=now)
    return moved


def move(owner: User, chosen: Selection, target: Folder | None) -> int:
    """Into `target`, or to the top (folders only). How many were moved; all or none.

    A name that is taken there gets a number. 409 `folder_gone`, `moved_into_itself`; 422 `too_deep`.
    """
    with locks.owner(owner.pk):
        moved = 0
        for folder in living_folders(owner, chosen):
            if folder.parent_id != (target.pk if target else None):
                folders.move(folder, target, unique=True)
                moved += 1
        if target is None:
            return moved
        folders.check_alive(target)
        rows = living_images(owner, chosen).exclude(folder=target).order_by("name", "pk")
        found = list(rows.values_list("pk", "name"))
        images.place(found, target)
        return moved + len(found)


def restore(owner: User, chosen: Selection) -> Moved:
    """Folders first, so that photos find their old place. All or none."""
    with locks.owner(owner.pk):
        trashed = Folder.objects.filter(owner=owner, pk__in=list(chosen.folder_ids))
        # From the top down, so that a folder finds the one it was in.
        trashed = sorted(trashed.exclude(trashed_at=None), key=lambda folder: len(tree.path_to(folder.pk)))
        back = [folders.restore(folder) for folder in trashed]
        return Moved([folder.pk for folder in back], images.restore(owner, chosen.image_ids))


def delete(owner: User, chosen: Selection) -> int:
    """For good; only what is in the trash. How many things that were."""
    with locks.owner(owner.pk):
        return _delete(
            Folder.objects.filter(owner=owner, pk__in=list(chosen.folder_ids)),
            Image.objects.filter(owner=owner, pk__in=list(chosen.image_ids)),
        )


def empty_trash(owner: User) -> int:
    """Delete all that is in the trash, for good. How many things that were."""
    with locks.owner(owner.pk):
        return _delete(Folder.objects.filter(owner=owner), Image.objects.filter(owner=owner))


def _delete(some_folders: QuerySet[Folder], some_images: QuerySet[Image]) -> int:
    trashed = [rows.exclude(trashed_at=None) for rows in (some_images, some_folders)]
    deleted = sum(rows.count() for rows in trashed)
    for rows in trashed:
        rows.delete()
    return deleted
