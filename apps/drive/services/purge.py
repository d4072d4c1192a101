"""What time deletes: the trash after TRASH_DAYS, bytes that no row names any more, and caches out of use.

Bytes are deleted under the owner's lock, after looking once more that no row names them. An upload takes the
same lock to give its bytes their name and to make the row, in one transaction: so either the row is there
before we look, or the upload finds that the bytes are gone and brings its own. Bytes younger than GRACE are
left alone, for the sake of an ingest that was cut off between move and commit and will come back.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.http import Http404
from django.utils import timezone

from apps.accounts.models import User
from apps.drive import locks, storage
from apps.drive.models import Attachment, Folder, Image

log = logging.getLogger(__name__)

GRACE = 86400.0  # seconds since the file was made, moved or last found to be in use
CACHE = 30 * 86400.0  # seconds without use after which a derived file goes
_BATCH = 500

# (owner, hashes) -> those that are needed although no row of the drive names them: a job's inputs.
Holder = Callable[[str, set[str]], set[str]]
_holders: list[Holder] = []


def register_holder(holder: Holder) -> None:
    """Let another app keep bytes alive. Call it in its AppConfig.ready()."""
    _holders.append(holder)


def run() -> dict[str, int]:
    """Everything that is due; for an hourly task. How many of what were deleted."""
    done = {"trashed": expired_trash(), "blobs": blobs(), "incoming": incoming(), "cached": caches()}
    log.info(
        "purge: %(trashed)d from the trash, %(blobs)d blobs, %(incoming)d broken uploads, %(cached)d cached",
        done,
    )
    return done


def expired_trash() -> int:
    """Folders and photos that were in the trash for TRASH_DAYS."""
    before = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    deleted = 0
    for model in (Image, Folder):
        due = model.objects.filter(trashed_at__lt=before)
        for owner_id in due.order_by().values_list("owner_id", flat=True).distinct():
            try:
                with locks.owner(owner_id):
                    mine = due.filter(owner_id=owner_id)  # looked up again: one may have been restored
                    deleted += mine.count()
                    mine.delete()
            except Http404:  # the owner was deleted, and all of this with them
                continue
    return deleted


def blobs(grace: float = GRACE) -> int:
    """Files in the drive that no row names."""
    deleted = 0
    for folder in _folders(storage.drive_dir()):
        if not User.objects.filter(pk=folder.name).exists():
            deleted += _owner_is_gone(folder, grace)
            continue
        names = (path.name for path in folder.iterdir() if _is_old(path, grace))
        while batch := set(islice(names, _BATCH)):
            if batch - _named(folder.name, batch):
                deleted += _delete_unnamed(folder.name, batch, grace)
    return deleted


def incoming(grace: float = GRACE) -> int:
    """What uploads left that were cut off by a crash."""
    old = [path for path in _files(storage.incoming_dir()) if _is_old(path, grace)]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def caches(grace: float = GRACE, unused: float = CACHE) -> int:
    """What apps derived for owners who are gone, and what nobody has read or written for `unused` seconds."""
    deleted = 0
    for folder in _folders(storage.cache_dir()):
        gone = not User.objects.filter(pk=folder.name).exists() and _is_old(folder, grace)
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            if gone or _is_unused(path, unused):
                path.unlink(missing_ok=True)
                deleted += 1
        if gone:
            shutil.rmtree(folder, ignore_errors=True)
    return deleted


def _delete_unnamed(owner_id: str, hashes: set[str], grace: float) -> int:
    deleted = 0
    try:
        with locks.owner(owner_id):
            for sha256 in hashes - _named(owner_id, hashes):
                try:
                    path = storage.blob_path(owner_id, sha256)
                except ValueError:  # nothing of ours
                    continue
                if _is_old(path, grace):
                    path.unlink(missing_ok=True)
                    storage.thumb_path(owner_id, sha256).unlink(missing_ok=True)
                    storage.view_path(owner_id, sha256).unlink(missing_ok=True)
                    deleted += 1
    except Http404:
        pass
    return deleted


def _named(owner_id: str, hashes: set[str]) -> set[str]:
    images = Image.objects.filter(owner_id=owner_id, sha256__in=hashes)
    attachments = Attachment.objects.filter(image__owner_id=owner_id, sha256__in=hashes)
    named = {*images.values_list("sha256", flat=True), *attachments.values_list("sha256", flat=True)}
    for holder in _holders:
        named |= holder(owner_id, hashes - named)
    return named


def _owner_is_gone(folder: Path, grace: float) -> int:
    if not _is_old(folder, grace):
        return 0
    count = sum(1 for _ in folder.iterdir())
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(storage.thumbs_dir() / folder.name, ignore_errors=True)
    shutil.rmtree(storage.cache_dir() / folder.name, ignore_errors=True)
    return count


def _is_old(path: Path, grace: float) -> bool:
    """By the change time: a rename sets it, unlike the modification time."""
    try:
        return time.time() - path.stat().st_ctime >= grace
    except FileNotFoundError:
        return False


def _is_unused(path: Path, seconds: float) -> bool:
    """Some file systems keep no access times; there it is how long ago it was written."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return time.time() - max(found.st_atime, found.st_mtime) >= seconds


def _folders(path: Path) -> Iterator[Path]:
    return (p for p in _entries(path) if p.is_dir() and not p.name.startswith("."))


def _files(path: Path) -> Iterator[Path]:
    return (p for p in _entries(path) if p.is_file())


def _entries(path: Path) -> Iterable[Path]:
    return path.iterdir() if path.is_dir() else ()
