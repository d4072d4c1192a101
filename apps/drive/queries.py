"""What pages and the API read. The number of queries never depends on the number of rows."""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery, Value

from apps.accounts.models import User
from apps.drive.models import LIVE, Folder, Image, ShareLink

PAGE = 60
_CURSOR = 4096  # characters; the longest name, escaped, with its id takes fewer


@dataclass(frozen=True)
class Page:
    images: list[Image]
    next: str | None  # cursor of the next page


@dataclass
class Node:
    """A living folder in its tree."""

    folder: Folder
    depth: int
    path: str  # names from the top, joined by /


@dataclass(frozen=True)
class Trashed:
    kind: str  # folder or image
    id: str
    name: str
    trashed_at: datetime
    was_in: str  # the name of the folder it was in
    image: Image | None = None
    folder: Folder | None = None


# What photos can be ordered by: the column, and whether the last comes first. Each has an index on
# (folder, trashed_at, column, id).
ORDERS = {
    "name": ("name", False),
    "-name": ("name", True),
    "created": ("created", False),
    "-created": ("created", True),
    "bytes": ("bytes", False),
    "-bytes": ("bytes", True),
}


def live_images(folder: Folder) -> QuerySet[Image]:
    """The folder's own photos, by name; not those in the trash."""
    return Image.objects.filter(folder=folder, trashed_at=None).order_by("name", "id")


def found_images(folder: Folder, q: str = "") -> QuerySet[Image]:
    """Those of `live_images` whose name has `q` in it, whatever the case."""
    rows = live_images(folder)
    wanted = unicodedata.normalize("NFC", q.replace("\0", "").strip())
    return rows.filter(name__icontains=wanted) if wanted else rows


def images_page(
    folder: Folder, cursor: str | None = None, size: int = PAGE, q: str = "", order: str = "name"
) -> Page:
    """One page of `found_images`, found through the index of `order` (one of ORDERS): as quick at the end as
    at the start. ValueError if the cursor is none of ours, or of another order."""
    column, falling = ORDERS[order]
    sign = "-" if falling else ""
    rows = found_images(folder, q).order_by(f"{sign}{column}", f"{sign}id")
    if cursor:
        value, pk = decode_cursor(cursor, order)
        side = "lte" if falling else "gte"
        beside = "gte" if falling else "lte"
        rows = rows.filter(**{f"{column}__{side}": value}).exclude(**{column: value, f"pk__{beside}": pk})
    found = list(rows[: size + 1])
    more = len(found) > size
    found = found[:size]
    return Page(found, encode_cursor(found[-1], order) if more else None)


def encode_cursor(image: Image, order: str = "name") -> str:
    value = getattr(image, ORDERS[order][0])
    place = [value.isoformat() if isinstance(value, datetime) else value, image.pk]
    text = json.dumps(place if order == "name" else [*place, order])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, order: str = "name") -> tuple[str | int | datetime, str]:
    """Where the page before ended: its last photo's value in the column, and its id."""
    if len(cursor) > _CURSOR:
        raise ValueError("not a cursor")
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value, pk = place if order == "name" else _of_order(place, order)
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        raise ValueError("not a cursor") from None
    if not isinstance(pk, str) or "\0" in pk:
        raise ValueError("not a cursor")
    return _place(value, ORDERS[order][0]), pk


def _of_order(place: Any, order: str) -> tuple[Any, Any]:
    value, pk, of = place
    if of != order:
        raise ValueError("a cursor of another order")
    return value, pk


def _place(value: Any, column: str) -> str | int | datetime:
    """A value of the column, as it came back in a cursor. ValueError."""
    if column == "bytes" and isinstance(value, int) and 0 <= value < 1 << 62:
        return int(value)
    if not isinstance(value, str) or "\0" in value or column == "bytes":
        raise ValueError("not a cursor")
    if column == "name":
        return value
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 1970 <= moment.year < 9999:
        raise ValueError("not a cursor")
    return moment


def image_neighbours(image: Image) -> tuple[str | None, str | None]:
    """Ids of the photos before and after it in its folder."""
    rows = live_images(image.folder)
    before = (
        rows.filter(name__lte=image.name).exclude(name=image.name, pk__gte=image.pk).order_by("-name", "-id")
    )
    after = rows.filter(name__gte=image.name).exclude(name=image.name, pk__lte=image.pk)
    return before.values_list("pk", flat=True).first(), after.values_list("pk", flat=True).first()


def subfolders(user: User, parent: Folder | None) -> QuerySet[Folder]:
    """Living folders directly below, by name, with what `with_counts` adds."""
    below = Folder.objects.filter(owner=user, parent=parent, trashed_at=None)
    return with_counts(below).order_by("name", "id")


def with_counts(folders: QuerySet[Folder]) -> QuerySet[Folder]:
    """With `counted_images` and `counted_folders` (None: none) and `cover`, the id of the first photo."""
    images = Image.objects.filter(folder=OuterRef("pk"), trashed_at=None).order_by()
    count = images.values("folder").annotate(n=Count("pk")).values("n")
    inside = Folder.objects.filter(parent=OuterRef("pk"), trashed_at=None).order_by()
    return folders.annotate(
        counted_images=Subquery(count),
        counted_folders=Subquery(inside.values("parent").annotate(n=Count("pk")).values("n")),
        cover=Subquery(images.order_by("name", "id").values("pk")[:1]),
    )


def image_counts(folder_ids: Sequence[str]) -> dict[str, int]:
    """Living photos directly in each folder."""
    rows = Image.objects.filter(folder__in=folder_ids, trashed_at=None).order_by()
    return dict(rows.values_list("folder").annotate(n=Count("pk")))


def tree(user: User) -> list[Node]:
    """Every living folder of the user, parents before children, siblings by name. One query."""
    by_parent: dict[str | None, list[Folder]] = {}
    for folder in Folder.objects.filter(owner=user, trashed_at=None).order_by("name", "id"):
        by_parent.setdefault(folder.parent_id, []).append(folder)
    nodes: list[Node] = []

    def walk(parent: Node | None) -> None:
        for folder in by_parent.get(parent.folder.pk if parent else None, ()):
            path = f"{parent.path}/{folder.name}" if parent else folder.name
            node = Node(folder, parent.depth + 1 if parent else 0, path)
            nodes.append(node)
            walk(node)

    walk(None)
    return nodes


def trash(user: User, start: int = 0, size: int = PAGE) -> list[Trashed]:
    """What was trashed itself (not what merely lies in a trashed folder), the latest first. Three queries:
    ids in order, then the folders and photos of this page."""
    mine = {"owner": user, "trashed_at__isnull": False}
    columns = ("kind", "pk", "trashed_at")
    folder_ids = Folder.objects.filter(**mine).annotate(kind=Value("folder")).values_list(*columns)
    image_ids = Image.objects.filter(**mine).annotate(kind=Value("image")).values_list(*columns)
    rows = list(folder_ids.union(image_ids, all=True).order_by("-trashed_at", "-pk")[start : start + size])
    folders = Folder.objects.select_related("parent").in_bulk(
        [pk for kind, pk, _ in rows if kind == "folder"]
    )
    images = Image.objects.select_related("folder").in_bulk([pk for kind, pk, _ in rows if kind == "image"])
    found = []
    for kind, pk, trashed_at in rows:
        if kind == "folder" and pk in folders:
            folder = folders[pk]
            home = folder.parent.name if folder.parent else "Drive"
            found.append(Trashed(kind, pk, folder.name, trashed_at, home, folder=folder))
        elif kind == "image" and pk in images:
            image = images[pk]
            found.append(Trashed(kind, pk, image.name, trashed_at, image.folder.name, image=image))
    return found


def trash_count(user: User) -> int:
    return (
        Folder.objects.filter(owner=user).exclude(LIVE).count()
        + Image.objects.filter(owner=user).exclude(LIVE).count()
    )


def shares(user: User, folder: Folder | None = None) -> QuerySet[ShareLink]:
    """Links that can still be revoked, the newest first; expired ones too."""
    rows = ShareLink.objects.filter(folder__owner=user, revoked_at=None).select_related("folder")
    return (rows.filter(folder=folder) if folder else rows).order_by("-created", "-id")
