"""Where things lie in a job folder, and how to create, stop and delete one.

    spec     what the job is: `job.json`
    chunk    photos that a worker claims together: `pending/`, `claimed/`, `done/` (see chunks.py)
    worker   who claims; its name is unique among the placements of a job

Every file appears under its name by a rename or a link, so a reader never sees half of one. Nothing is
fsynced: a killed process loses nothing that the kernel has, and what a power cut loses can be made again
from the database and the drive (docs/architecture/02-job-folder.md, "What survives").
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FOLDERS = ("pending", "claimed", "done", "workers", "strikes", "output", "results")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STALE_SECONDS = 3600  # a folder being made or deleted for longer than this was left by a crash


class BadJobFolder(Exception):
    """The folder doesn't hold what the protocol says; the message names the file."""


@dataclass(frozen=True)
class Limits:
    image_seconds: float = 60.0
    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    max_output_pixels: int = 100_000_000


@dataclass(frozen=True)
class ChunkImage:
    """One photo of a job. `params`, unless None, replaces the job's params as a whole."""

    image: str
    position: int
    name: str
    sha256: str
    params: dict[str, Any] | None = None


@dataclass(frozen=True)
class Chunk:
    """Photos that are claimed together; `name` is `<attempt>-<number>`, and names sort in order."""

    name: str
    images: tuple[ChunkImage, ...]

    @property
    def attempt(self) -> int:
        return int(self.name.partition("-")[0])


@dataclass(frozen=True)
class JobSpec:
    """What `job.json` says. `assets` maps an option to sha256s of the owner's photos, `sample` are the
    photos that `fit` sees (at most 16 are used), `weights` is a sha256 or None. `linger`: seconds that a
    worker waits for another chunk before it ends; 0 for jobs, whose chunks are all there at the start."""

    job: str
    owner: str
    app: str
    app_version: str
    params: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, list[str]] = field(default_factory=dict)
    weights: str | None = None
    limits: Limits = field(default_factory=Limits)
    sample: list[str] = field(default_factory=list)
    linger: float = 0.0


def check_name(name: str) -> str:
    """`name`, fit to be a file's name here: letters, digits and ``._-``, not starting with a dot.
    Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be part of a job folder's file names")
    return name


def check_sha256(digest: str) -> str:
    """`digest`, if it is 64 small hex digits. Raises ValueError."""
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"{digest!r} is no sha256")
    return digest


def jobs_root(data_dir: Path) -> Path:
    return data_dir / "jobs"


def job_dir(data_dir: Path, job: str) -> Path:
    return jobs_root(data_dir) / check_name(job)


def data_dir_of(folder: Path) -> Path:
    """The DATA_DIR that a job folder lies in."""
    return folder.parent.parent


def drive_path(data_dir: Path, owner: str, sha256: str) -> Path:
    """Where the bytes of a photo lie. Raises ValueError for what is no owner or no sha256."""
    return drive_dir(data_dir, owner) / check_sha256(sha256)


def drive_dir(data_dir: Path, owner: str) -> Path:
    """Where the bytes of an owner's photos lie. Raises ValueError for what is no owner."""
    return data_dir / "drive" / check_name(owner)


def weights_path(data_dir: Path, sha256: str) -> Path:
    """Where a weights file (ONNX) lies, written once. Raises ValueError for what is no sha256."""
    return data_dir / "weights" / f"{check_sha256(sha256)}.onnx"


def temporary(path: Path) -> Path:
    """A name beside `path` that no other thread or process uses; readers skip names with a dot."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON, at once."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def write_bytes(path: str | Path, data: bytes, *, on_its_way: bool = False) -> None:
    """Replace `path` by `data`, at once; an error leaves no half file. Workers do this for every photo, so it
    takes the shortest way through the system. `on_its_way`: the disk begins with it now, and nobody waits;
    whoever syncs the file later then finds most of that done, where the kernel would have begun half a minute
    later."""
    target = os.fspath(path)
    folder, _, name = target.rpartition("/")
    partial = f"{folder}/.{name}.{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            if on_its_way and hasattr(os, "posix_fadvise"):
                # Of pages that are not written yet, this only begins the writing; it drops none.
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
        os.rename(partial, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def read_bytes(path: str | Path) -> bytes:
    """The whole of a file, in as few calls as it takes. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        most = os.fstat(file).st_size + 1
        while part := os.read(file, most):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(file)


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object. Raises FileNotFoundError or BadJobFolder."""
    try:
        value = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise BadJobFolder(f"{path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadJobFolder(f"{path} holds no JSON object")
    return value


def chunk_to_json(chunk: Chunk) -> dict[str, Any]:
    return {"images": [asdict(image) for image in chunk.images]}


def create(root: Path, spec: JobSpec, chunks: Iterable[Chunk]) -> bool:
    """Make `root/<job>` with its chunks pending, all at once. False when the job has a folder already,
    which is then left as it is: calling this again after a crash is right.

    `root` is `jobs_root(data_dir)`. Raises OSError (disk full), and then leaves nothing behind.
    """
    target = root / check_name(spec.job)
    if target.exists():
        return False
    root.mkdir(parents=True, exist_ok=True)
    making = root / f".{spec.job}.{secrets.token_hex(6)}.making"
    try:
        for name in FOLDERS:
            (making / name).mkdir(parents=True)
        for chunk in chunks:
            path = making / "pending" / f"{check_name(chunk.name)}.json"
            path.write_text(json.dumps(chunk_to_json(chunk), ensure_ascii=False), encoding="utf-8")
        write_json(making / "job.json", _spec_to_json(spec))
        making.rename(target)  # fails on a folder with content: somebody else was faster
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if target.exists():
            return False
        raise
    return True


def _spec_to_json(spec: JobSpec) -> dict[str, Any]:
    """Without `linger` where it is 0: workers of before it was there read jobs too."""
    return {name: value for name, value in asdict(spec).items() if name != "linger" or value}


def read_spec(folder: Path) -> JobSpec:
    """Raises FileNotFoundError when the job is gone, BadJobFolder when job.json is no job."""
    value = read_json(folder / "job.json")
    try:
        limits = Limits(**value.pop("limits", {}))
        spec = JobSpec(**value, limits=limits)
        check_name(spec.owner)
        for digest in (*spec.sample, *(d for digests in spec.assets.values() for d in digests)):
            check_sha256(digest)
        if spec.weights is not None:
            check_sha256(spec.weights)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadJobFolder(f"{folder / 'job.json'}: {error}") from None
    return spec


def request_stop(folder: Path) -> None:
    """Ask the workers to finish the photo at hand, give back their chunks and exit. Again is no error;
    nor is a job whose folder is gone."""
    with suppress(FileNotFoundError):
        (folder / "stop").touch()


def clear_stop(folder: Path) -> None:
    with suppress(FileNotFoundError):
        (folder / "stop").unlink()


def stop_requested(folder: Path) -> bool:
    """Also true when the folder is gone: there is nothing left to work on."""
    here = os.fspath(folder)
    return os.path.exists(f"{here}/stop") or not os.path.exists(f"{here}/job.json")


def request_leave(folder: Path, worker: str) -> None:
    """Ask one worker to finish the photo at hand, give back its chunk and exit: its slot is wanted. Again is
    no error; nor is a job whose folder is gone."""
    with suppress(FileNotFoundError):
        (folder / "workers" / f"{check_name(worker)}.leave").touch()


def leave_requested(folder: Path, worker: str) -> bool:
    return os.path.exists(f"{os.fspath(folder)}/workers/{check_name(worker)}.leave")


def delete(folder: Path) -> None:
    """Remove a job folder. It is gone at once for everybody; again is no error."""
    doomed = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.deleting")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(root: Path, now: float | None = None) -> list[str]:
    """Remove what a crash left of `create` and `delete` over an hour ago. Returns the names removed."""
    now = time.time() if now is None else now
    swept = []
    for path in sorted(root.glob(".*.making")) + sorted(root.glob(".*.deleting")):
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
                swept.append(path.name)
    return swept
