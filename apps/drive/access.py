"""Whose it is. What belongs to another, is in the trash or lies in a trashed folder is not there: 404."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from apps.accounts.models import User
from apps.drive import tree
from apps.drive.models import Attachment, Folder, Image, ShareLink
from marketplace.ids import is_id
from marketplace.prepared import Prepared

Person = User | AnonymousUser


def ids(texts: Iterable[str]) -> list[str]:
    """Those that can be ids."""
    return [text for text in texts if is_id(text)]


def folder_for(user: Person, folder_id: str) -> Folder:
    """The user's living folder; `folder.path` holds its ancestors and itself, from the top. One query."""
    path = tree.path_to(folder_id) if is_id(folder_id) else []
    if not path or path[-1].owner_id != user.pk or any(step.trashed_at for step in path):
        raise Http404("no such folder")
    return _with_path(path)


def image_for(user: Person, image_id: str) -> Image:
    """The user's living photo, with its folder loaded."""
    found = _MINE.models(image_id, user.pk) if is_id(image_id) and user.pk else []
    if not found:
        raise Http404("no such photo")
    image = found[0]
    image.folder = folder_for(user, image.folder_id)
    return image


_MINE = Prepared(lambda pk, owner_id: Image.objects.filter(pk=pk, owner_id=owner_id, trashed_at=None))


def any_image_for(user: Person, image_id: str) -> Image:
    """The user's photo, in the trash or not. For its owner's thumbnails: one query, no walk."""
    image = Image.objects.filter(pk=image_id, owner_id=user.pk).first() if is_id(image_id) else None
    if image is None:
        raise Http404("no such photo")
    return image


def attachment_for(user: Person, image_id: str, attachment_id: int) -> Attachment:
    image = image_for(user, image_id)
    found = Attachment.objects.filter(pk=attachment_id, image=image)
    attachment = found.first() if attachment_id < 1 << 63 else None
    if attachment is None:
        raise Http404("no such file")
    attachment.image = image
    return attachment


def share_for(user: Person, share_id: str) -> ShareLink:
    """A share of one of the user's folders, revoked and expired ones too."""
    mine = ShareLink.objects.select_related("folder").filter(pk=share_id, folder__owner_id=user.pk)
    share = mine.first() if is_id(share_id) else None
    if share is None:
        raise Http404("no such share")
    return share


def shared_folder(token: str, folder_id: str | None = None) -> tuple[ShareLink, Folder]:
    """What the link with this token shows: its folder, or the one below it with `folder_id`.

    404 when the link never was, was revoked or has expired, and when a folder on the way is in the trash.
    """
    share = ShareLink.objects.filter(token=token, revoked_at=None).first() if "\0" not in token else None
    if share is None or not is_id(folder_id or share.folder_id):
        raise Http404("no such share")
    if share.is_expired:
        raise Http404("no such share")
    path = tree.path_to(folder_id or share.folder_id)
    ids = [step.pk for step in path]
    if share.folder_id not in ids or any(step.trashed_at for step in path):
        raise Http404("no such share")
    folder = _with_path(path)
    # Where the shared folder lies is its owner's business.
    folder.path = path[ids.index(share.folder_id) :]
    return share, folder


def shared_image(token: str, image_id: str) -> tuple[ShareLink, Image]:
    image = Image.objects.filter(pk=image_id, trashed_at=None).first() if is_id(image_id) else None
    if image is None:
        raise Http404("no such photo")
    share, folder = shared_folder(token, image.folder_id)
    image.folder = folder
    return share, image


def _with_path(path: list[Folder]) -> Folder:
    folder = path[-1]
    folder.path = path
    return folder
