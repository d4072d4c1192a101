"""Walks of the folder tree: one recursive query each, on SQLite and PostgreSQL alike.

A tree is at most MAX_DEPTH deep; the queries stop a little beyond it, so that not even a loop in the data
could keep one running.
"""

from __future__ import annotations

from django.db import connection

from apps.drive.models import Folder
from apps.drive.names import MAX_DEPTH

_UP = """
WITH RECURSIVE up(id, parent_id, step) AS (
    SELECT id, parent_id, 0 FROM drive_folder WHERE id = %s
    UNION ALL
    SELECT f.id, f.parent_id, up.step + 1 FROM drive_folder f JOIN up ON f.id = up.parent_id
    WHERE up.step < %s
)
SELECT f.* FROM up JOIN drive_folder f ON f.id = up.id ORDER BY up.step DESC
"""

_DOWN = """
WITH RECURSIVE down(id, step) AS (
    SELECT id, 0 FROM drive_folder WHERE id = %s
    UNION ALL
    SELECT f.id, down.step + 1 FROM drive_folder f JOIN down ON f.parent_id = down.id WHERE down.step < %s
)
SELECT id, step FROM down ORDER BY step
"""

_LIMIT = MAX_DEPTH + 8


def path_to(folder_id: str) -> list[Folder]:
    """The folder and its ancestors, from the top down; empty if there is no such folder."""
    return list(Folder.objects.raw(_UP, [folder_id, _LIMIT]))


def below(folder_id: str) -> dict[str, int]:
    """Ids of the folder and everything below it, trashed or not, each with its steps down, nearest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DOWN, [folder_id, _LIMIT])
        return dict(cursor.fetchall())
