"""What an owner does to folders. The tree is at most MAX_DEPTH deep and has no loops."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.drive import locks, names, tree
from apps.drive.models import Folder
from marketplace.api import ApiError, conflict, invalid

MAX_FOLDERS = 20_000  # of one owner: what a tree in one page, read in one query, can bear


def create(
    owner: User, name: str, parent: Folder | None = None, origin: str | None = None, unique: bool = False
) -> Folder:
    """A new folder. The same `origin` gives the same folder again, whatever else is asked for.

    409 `name_taken`, or with `unique` the name with a number instead; 422 `bad_name`, `too_deep`,
    `too_many_folders`.
    """
    name = names.check_folder(name)
    with locks.owner(owner.pk):
        if origin is not None:
            made = Folder.objects.filter(origin=origin, owner=owner).first()
            if made:
                return made
        return _create(owner, name, parent, origin, unique)


def ensure(owner: User, name: str, parent: Folder | None = None) -> tuple[Folder, bool]:
    """The living folder of that name, and whether it had to be made."""
    name = names.check_folder(name)
    with locks.owner(owner.pk):
        found = _siblings(owner.pk, parent).filter(name=name).first()
        return (found, False) if found else (_create(owner, name, parent), True)


def ensure_path(owner: User, parent: Folder, parts: Sequence[str]) -> Folder:
    """The folder at `parts` below `parent`, made as far as it is missing. Parts are checked names."""
    for part in parts:
        parent, _ = ensure(owner, part, parent)
    return parent


def move(folder: Folder, parent: Folder | None, unique: bool = False) -> Folder:
    """Below `parent`, or to the top. 409 `name_taken` or `moved_into_itself`, 422 `too_deep`."""
    return change(folder, parent=parent, moving=True, unique=unique)


def change(
    folder: Folder,
    *,
    name: str | None = None,
    parent: Folder | None = None,
    moving: bool = False,
    unique: bool = False,
) -> Folder:
    """Rename, move, or both at once."""
    name = folder.name if name is None else names.check_folder(name)
    with locks.owner(folder.owner_id):
        folder.refresh_from_db(fields=["parent", "trashed_at"])
        target = parent if moving else folder.parent
        if moving and target is not None:
            _check_no_loop(folder, target)
        if moving:
            _check_depth(target, below=max(tree.below(folder.pk).values(), default=0))
        folder.name = _allowed_name(folder.owner_id, target, name, unique, folder.pk)
        folder.parent = target
        _save(folder, ["name", "parent"])
    return folder


def trash(folder: Folder) -> None:
    """It and all in it; what is in it keeps its place. Again is no error."""
    Folder.objects.filter(pk=folder.pk, trashed_at=None).update(trashed_at=timezone.now())


def restore(folder: Folder) -> Folder:
    """Back where it was, or into the nearest living folder above; with a number if its name is taken."""
    with locks.owner(folder.owner_id):
        folder.refresh_from_db()
        if folder.trashed_at is None:
            return folder
        folder.parent = living_ancestor(folder.parent_id)
        _check_depth(folder.parent, below=max(tree.below(folder.pk).values(), default=0))
        folder.name = _allowed_name(folder.owner_id, folder.parent, folder.name, True, folder.pk)
        folder.trashed_at = None
        _save(folder, ["name", "parent", "trashed_at"])
    return folder


def living_ancestor(folder_id: str | None) -> Folder | None:
    """The lowest folder on the way to `folder_id`, itself included, with nothing trashed above it."""
    living = None
    for step in tree.path_to(folder_id) if folder_id else []:
        if step.trashed_at:
            break
        living = step
    return living


def check_alive(folder: Folder) -> None:
    """409 `folder_gone` if it, or one above it, was trashed or deleted. Hold the owner's lock."""
    path = tree.path_to(folder.pk)
    if not path or any(step.trashed_at for step in path):
        raise conflict("folder_gone", "The folder was moved to the trash in the meantime.")


def _create(
    owner: User, name: str, parent: Folder | None, origin: str | None = None, unique: bool = False
) -> Folder:
    if parent is not None:
        check_alive(parent)
    _check_depth(parent)
    if Folder.objects.filter(owner=owner).count() >= MAX_FOLDERS:
        raise invalid("too_many_folders", f"There are {MAX_FOLDERS} folders, the most allowed.")
    name = _allowed_name(owner.pk, parent, name, unique)
    folder = Folder(owner=owner, parent=parent, name=name, origin=origin)
    _save(folder)
    return folder


def _siblings(owner_id: str, parent: Folder | None):
    return Folder.objects.filter(owner_id=owner_id, parent=parent, trashed_at=None)


def _allowed_name(
    owner_id: str, parent: Folder | None, name: str, unique: bool, but: str | None = None
) -> str:
    similar = _siblings(owner_id, parent).filter(name__startswith=names.stem_of(name)).exclude(pk=but)
    taken = set(similar.values_list("name", flat=True))
    if unique:
        return names.free(name, taken, names.FOLDER_CHARS)
    if name in taken:
        raise _taken(name)
    return name


def _taken(name: str) -> ApiError:
    message = f'There is a folder named "{name}" here already.'
    return ApiError(409, "name_taken", message, fields={"name": [message]})


def _save(folder: Folder, fields: list[str] | None = None) -> None:
    """The database has the last word on names, should something not hold the lock."""
    try:
        with transaction.atomic():
            folder.save(force_insert=fields is None, update_fields=fields)
    except IntegrityError as error:
        raise _taken(folder.name) from error


def _check_no_loop(folder: Folder, target: Folder) -> None:
    path = tree.path_to(target.pk)
    if folder.pk in [step.pk for step in path]:
        raise conflict("moved_into_itself", "A folder can't be moved into itself.")
    check_alive(target)


def _check_depth(parent: Folder | None, below: int = 0) -> None:
    depth = len(tree.path_to(parent.pk)) if parent else 0
    if depth + 1 + below > names.MAX_DEPTH:
        raise invalid("too_deep", f"Folders can be at most {names.MAX_DEPTH} deep.")
