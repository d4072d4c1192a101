"""Bytes on the shared volume, named by their sha256 and written once.

    DATA_DIR/drive/<owner>/<sha256>          a photo or an attachment
    DATA_DIR/drive/.incoming/<random>        an upload on its way
    DATA_DIR/thumbs/<owner>/<sha256>.webp    derived, as is .view.webp; can be deleted at any time
    DATA_DIR/cache/<owner>/...               what apps derived, a mosaic's tiles; can be deleted at any time

A blob appears under its name complete and synced to disk, by a rename within one file system. Renames and
unlinks of blobs happen under the owner's lock (`locks.owner`), so a sweep never deletes what an upload has
just found to be there already.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from marketplace.api import ApiError, too_large

CHUNK = 1 << 20
_SYNCS = 4  # at a time; more gain nothing
_OWNER = re.compile(r"[0-9a-z]{1,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def drive_dir() -> Path:
    return settings.DATA_DIR / "drive"


def thumbs_dir() -> Path:
    return settings.DATA_DIR / "thumbs"


def cache_dir() -> Path:
    return settings.DATA_DIR / "cache"


def incoming_dir() -> Path:
    return drive_dir() / ".incoming"


def blob_path(owner_id: str, sha256: str) -> Path:
    """Where the bytes lie (or would lie). Refuses what could lead out of the owner's folder."""
    _check(owner_id, sha256)
    return drive_dir() / owner_id / sha256


def thumb_path(owner_id: str, sha256: str) -> Path:
    _check(owner_id, sha256)
    return thumbs_dir() / owner_id / f"{sha256}.webp"


def view_path(owner_id: str, sha256: str) -> Path:
    """A larger rendering, for formats that browsers don't show."""
    _check(owner_id, sha256)
    return thumbs_dir() / owner_id / f"{sha256}.view.webp"


def _check(owner_id: str, sha256: str) -> None:
    if not _OWNER.fullmatch(owner_id) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"not an owner and a sha256: {owner_id!r}, {sha256!r}")


@contextmanager
def full_disk_is_an_answer() -> Iterator[None]:
    """Turn "no space left" into a 507 that people can act on. Other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise ApiError(
            507, "disk_full", "The server's disk is full. Nothing of this file was kept; try again later."
        ) from error


class Staged:
    """Bytes on their way into the drive: hashed while they are written. Close it, whatever happens.

    Beyond `limit` bytes nothing more is written, only counted.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.error: ApiError | None = None  # why the rest was not written
        self._hash = hashlib.sha256()
        self.path = incoming_dir() / secrets.token_hex(16)
        self._file: BinaryIO | None = None
        with full_disk_is_an_answer():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")

    @property
    def held(self) -> int:
        """Bytes that lie on the disk."""
        return 0 if self.error else self.bytes

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        self.bytes += len(data)
        if self.error or self._file is None:
            return
        if self.bytes > self.limit:
            self.refuse(
                too_large("too_large", f"The file is larger than {self.limit / 1e6:g} MB, the most allowed.")
            )
            return
        try:
            with full_disk_is_an_answer():
                self._file.write(data)
        except ApiError as error:
            self.refuse(error)
            return
        self._hash.update(data)

    def finish(self) -> None:
        """Everything is written: raise why it can't be kept, or flush it so that others can read it."""
        if self.error:
            raise self.error
        if self._file is None:
            raise ValueError("closed")
        try:
            with full_disk_is_an_answer():
                self._file.flush()
        except ApiError as error:
            self.refuse(error)
            raise

    def sync(self) -> None:
        """Onto the disk itself. Before the owner's lock is taken: it can take long."""
        if self._file is not None:
            with full_disk_is_an_answer():
                os.fsync(self._file.fileno())

    def commit(self, owner_id: str) -> None:
        """Give the bytes their name. Hold the owner's lock."""
        target = blob_path(owner_id, self.sha256)
        with full_disk_is_an_answer():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                _touch(target)
                return
            _make_read_only(self.path)
            self.path.rename(target)
            _sync(target.parent)

    def close(self) -> None:
        """Let go; what was not committed is deleted."""
        if self._file is not None:
            with suppress(OSError):  # the last buffer may not fit on a full disk; it is not wanted
                self._file.close()
            self._file = None
        self.path.unlink(missing_ok=True)

    def refuse(self, error: ApiError) -> None:
        """From now on nothing is written, only counted, and `finish` raises this."""
        self.error = error
        self.close()

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stage(source: BinaryIO, limit: int) -> Staged:
    """A copy of an open file, finished; raises 413 `too_large` or 507 `disk_full` and keeps nothing."""
    staged = Staged(limit)
    try:
        while data := source.read(CHUNK):
            staged.write(data)
            if staged.error:
                break
        staged.finish()
    except BaseException:
        staged.close()
        raise
    return staged


def sync_all(paths: Iterable[Path]) -> None:
    """Files and folders onto the disk itself; those that are gone are passed over. Several at a time: a file
    system that writes its journal for one of them does so for all that wait."""
    todo = list(paths)
    if len(todo) < 2:
        for path in todo:
            _sync_if_there(path)
        return
    with ThreadPoolExecutor(min(_SYNCS, len(todo))) as pool:
        for _ in pool.map(_sync_if_there, todo):
            pass  # an error of any of them is raised here


def _sync_if_there(path: Path) -> None:
    with suppress(FileNotFoundError), full_disk_is_an_answer():
        _sync(path)


def take(source: Path, owner_id: str, sha256: str, size: int) -> bool:
    """Move a file, already synced, into the drive by rename. Hold the owner's lock.

    False if it is neither at `source` nor in the drive already, or is not `size` bytes long. What lies in the
    drive is never replaced: whatever wrote `source` could be wrong about its hash.
    """
    target = blob_path(owner_id, sha256)
    if target.exists():
        if target.stat().st_size != size:
            return False
        _touch(target)
        source.unlink(missing_ok=True)
        return True
    with full_disk_is_an_answer():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = source.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return False
            source.rename(target)
            if target.is_symlink():  # whoever wrote it has swapped it just now
                target.unlink()
                return False
            _make_read_only(target)
        except FileNotFoundError:
            return False
    return True


def write_derived(target: Path, data: bytes) -> None:
    """Put a thumbnail or a listing's picture in place in one step. Not synced: a power cut may lose it."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with full_disk_is_an_answer():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)


def _touch(path: Path) -> None:
    """In use again: purge leaves alone what was touched lately. Only its own user's files can be."""
    with suppress(PermissionError):
        os.utime(path)


def _make_read_only(path: Path) -> None:
    with suppress(PermissionError):
        path.chmod(0o444)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
