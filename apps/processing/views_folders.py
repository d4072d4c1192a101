"""The folders that a page offers to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.models import User
from apps.drive import queries


@dataclass(frozen=True)
class FolderChoice:
    id: str
    path: str  # "Family/Holiday"
    images: int


def folder_choices(user: User) -> list[FolderChoice]:
    """Every folder of the user that is not in the trash, parents before children. Two queries."""
    nodes = queries.tree(user)
    counts = queries.image_counts([node.folder.pk for node in nodes])
    return [FolderChoice(node.folder.pk, node.path, counts.get(node.folder.pk, 0)) for node in nodes]
