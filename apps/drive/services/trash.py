"""The trash as a whole, and several things at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils import timezone

from apps.accounts.models import User
from apps.drive import locks
from apps.drive.models import Folder, Image
from apps.drive.services import folders, images


@dataclass
class Restored:
    folders: list[Folder] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)


def put(owner: User, folder_ids: Iterable[str] = (), image_ids: Iterable[str] = ()) -> int:
    """How many things were moved to the trash; ids that are not the owner's are passed over."""
    now = timezone.now()
    living = Folder.objects.filter(owner=owner, pk__in=list(folder_ids), trashed_at=None)
    return living.update(trashed_at=now) + images.trash(owner, image_ids)


def restore(owner: User, folder_ids: Iterable[str] = (), image_ids: Iterable[str] = ()) -> Restored:
    """Folders first, so that photos find their old place. One transaction."""
    with locks.owner(owner.pk):
        trashed = Folder.objects.filter(owner=owner, pk__in=list(folder_ids)).exclude(trashed_at=None)
        back = [folders.restore(folder) for folder in trashed.order_by("pk")]
        return Restored(back, images.restore(owner, image_ids))


def delete(owner: User, folder_ids: Iterable[str] = (), image_ids: Iterable[str] = ()) -> int:
    """For good; only what is in the trash."""
    with locks.owner(owner.pk):
        trashed = Folder.objects.filter(owner=owner, pk__in=list(folder_ids)).exclude(trashed_at=None)
        deleted = len(trashed)
        for folder in trashed:
            folder.delete()
        gone = Image.objects.filter(owner=owner, pk__in=list(image_ids)).exclude(trashed_at=None)
        deleted += gone.count()
        gone.delete()
    return deleted


def empty(owner: User) -> int:
    """Delete all that is in the trash, for good. How many things that were."""
    with locks.owner(owner.pk):
        trashed_folders = Folder.objects.filter(owner=owner).exclude(trashed_at=None)
        trashed_images = Image.objects.filter(owner=owner).exclude(trashed_at=None)
        deleted = trashed_folders.count() + trashed_images.count()
        trashed_images.delete()
        trashed_folders.delete()
    return deleted
