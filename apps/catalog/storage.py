"""Where the bytes of weights and their pictures lie, below DATA_DIR.

    uploads/<upload id>                a file on its way in; kept until its version is ready or rejected
    intake/<version id>.<random>/      the converter's working folder; one of each try
    weights/<sha256>.onnx              what runs, written once (jobfolder.weights_path)
    catalog/samples/<version id>/<n>.jpg     sample outputs of a version's card
    catalog/pictures/<sha256>.webp           preview images of listings, and .small.webp

What the converter leaves in its folder was made from a stranger's file: a link there is not followed, and
sizes are bounded.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

import jobfolder
from apps.drive.storage import full_disk_is_an_answer, write_derived
from jobfolder.layout import check_sha256
from marketplace.ids import is_id

CHUNK_BYTES = 4 << 20  # of an upload; one request holds it in memory
_BLOCK = 1 << 20
_MAX_SAMPLE_BYTES = 5_000_000


class NotThere(Exception):
    """The converter's folder does not hold what it should."""


def uploads_dir() -> Path:
    return settings.DATA_DIR / "uploads"


def upload_path(upload_id: str) -> Path:
    return uploads_dir() / _checked(upload_id)


def intake_dir() -> Path:
    return settings.DATA_DIR / "intake"


def samples_dir(version_id: str) -> Path:
    return settings.DATA_DIR / "catalog" / "samples" / _checked(version_id)


def sample_path(version_id: str, number: int) -> Path:
    return samples_dir(version_id) / f"{number}.jpg"


def picture_path(sha256: str, *, small: bool = False) -> Path:
    name = f"{check_sha256(sha256)}{'.small' if small else ''}.webp"
    return settings.DATA_DIR / "catalog" / "pictures" / name


def _checked(id_: str) -> str:
    if not is_id(id_):
        raise ValueError(f"no id: {id_!r}")
    return id_


# --- Uploads --------------------------------------------------------------------------------------


def write_chunk(upload_id: str, offset: int, data: bytes) -> None:
    """`data` at `offset` of the upload's file. What lies behind it, of a request that was cut off, stays
    until it is overwritten or `seal` cuts it off."""
    path = upload_path(upload_id)
    with full_disk_is_an_answer():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(handle, view, offset)
                view, offset = view[written:], offset + written
        finally:
            os.close(handle)


def seal(upload_id: str, size: int) -> str:
    """The sha256 of a complete upload, whose bytes are now on the disk itself. FileNotFoundError if it is
    gone, NotThere if it is shorter than it should be."""
    with upload_path(upload_id).open("r+b") as file, full_disk_is_an_answer():
        if os.fstat(file.fileno()).st_size < size:
            raise NotThere("the upload's file is too short")
        file.truncate(size)
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_upload(upload_id: str) -> None:
    upload_path(upload_id).unlink(missing_ok=True)


# --- The converter's folder -----------------------------------------------------------------------


@contextmanager
def work_dir(version_id: str) -> Iterator[Path]:
    """A fresh folder, deleted at the end."""
    folder = intake_dir() / f"{_checked(version_id)}.{secrets.token_hex(6)}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_made(path: Path, limit: int) -> Iterator[BinaryIO]:
    """A file that the converter made: a regular one, not empty, of at most `limit` bytes. Raises NotThere."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotThere(f"{path.name}: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= limit:
            raise NotThere(f"{path.name} is no file of 1 to {limit} bytes")
        yield file


def keep_weights(made: Path, limit: int) -> tuple[str, int]:
    """Put the converter's `weights.onnx` under its name. Its sha256 and size; again, or twice at once, is
    right. Raises NotThere.

    Copied, not moved: whoever wrote the file could still hold it open and change it.
    """
    digest, size = hashlib.sha256(), 0
    root = settings.DATA_DIR / "weights"
    root.mkdir(parents=True, exist_ok=True)
    temporary = root / f".{secrets.token_hex(12)}"
    try:
        with full_disk_is_an_answer(), open_made(made, limit) as source, temporary.open("xb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        temporary.chmod(0o444)
        final = jobfolder.weights_path(settings.DATA_DIR, digest.hexdigest())
        temporary.replace(final)  # the same bytes, should it be there already
        _sync_folder(root)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest(), size


def keep_sample(version_id: str, number: int, made: Path) -> None:
    """A sample output of the card. Raises NotThere; also for what is no JPEG."""
    target = sample_path(version_id, number)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_made(made, _MAX_SAMPLE_BYTES) as file:
        data = file.read(_MAX_SAMPLE_BYTES)
    if not data.startswith(b"\xff\xd8\xff"):
        raise NotThere(f"{made.name} is no JPEG")
    write_derived(target, data)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_version(version_id: str) -> None:
    """Its samples. (Weights may be another version's too: `services.sweep` sees to them.)"""
    with suppress(ValueError):
        shutil.rmtree(samples_dir(version_id), ignore_errors=True)
