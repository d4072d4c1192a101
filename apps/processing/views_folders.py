"""The folders that a page offers to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from apps.accounts.models import User
from apps.drive.models import Folder


@dataclass(frozen=True)
class FolderChoice:
    id: str
    path: str  # "Family / Holiday"
    images: int


def folder_choices(user: User) -> list[FolderChoice]:
    """Every folder of the user that is not in the trash, by path, with its photos counted. One query."""
    rows = {
        folder.pk: folder
        for folder in Folder.objects.filter(owner=user, trashed_at=None)
        .annotate(photos=Count("images", filter=Q(images__trashed_at=None)))
        .only("id", "name", "parent_id")
    }
    choices = [
        FolderChoice(folder.pk, " / ".join(names), folder.photos)
        for folder in rows.values()
        if (names := _names(folder, rows))
    ]
    return sorted(choices, key=lambda choice: choice.path.casefold())


def _names(folder: Folder, rows: dict[str, Folder]) -> list[str]:
    """From the top down; empty when an ancestor is in the trash (or, in broken data, a loop)."""
    names: list[str] = []
    step: Folder | None = folder
    while step is not None and len(names) <= len(rows):
        names.insert(0, step.name)
        if step.parent_id is None:
            return names
        step = rows.get(step.parent_id)
    return []
