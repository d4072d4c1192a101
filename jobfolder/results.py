"""Documents: what happened to each photo. One line each, appended by one writer a file.

`results/<chunk>@<worker>.jsonl`. A line without its newline is still being written, or was torn by a crash:
readers leave it alone, and the worker that opens the file again cuts it off.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from jobfolder.layout import BadJobFolder, check_name

MAX_LINE = 16_000_000  # bytes; a longer one is not a document of ours


class _NotOurs(Exception):
    """A name among the results that no worker of ours made."""


class Writer:
    """Appends documents of one chunk, as one worker. A context manager."""

    def __init__(self, job_dir: Path, chunk: str, worker: str) -> None:
        self.path = job_dir / "results" / f"{check_name(chunk)}@{check_name(worker)}.jsonl"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._cut_torn_line()
        self._end = os.fstat(self._fd).st_size  # nobody else writes to it

    def append(self, document: Mapping[str, Any]) -> None:
        """One line, in one write where the kernel takes it whole. Raises OSError (disk full), and then
        takes back what was written of it; ValueError for what is no JSON (NaN is not)."""
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        rest = memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end += len(line) + 1

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.ftruncate(self._fd, self.path.read_bytes().rfind(b"\n") + 1)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def tail_results(
    job_dir: Path, offsets: Mapping[str, int], limit: int = 1000
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """New documents beyond `offsets` (bytes read of each file, {} at first), and the offsets to go on from.

    At most about `limit` documents a call: fewer came back than `limit` when there is no more. A photo may
    come twice, from two workers: the first counts. Lines that are no JSON object are skipped. The documents
    were written by a process that handles strangers' files, so check fields before use, and files by
    `output_file`.
    """
    documents: list[dict[str, Any]] = []
    after = dict(offsets)
    for name, size in sorted(_sizes(job_dir).items()):
        start = after.get(name, 0)
        if size <= start:
            continue
        with suppress(FileNotFoundError, _NotOurs):
            found, after[name] = _read_from(job_dir / "results" / name, start, limit - len(documents))
            documents += found
        if len(documents) >= limit:
            break
    return documents, after


def waiting_results(
    job_dir: Path, offsets: Mapping[str, int], counted: dict[str, tuple[int, int]] | None = None
) -> int:
    """How many lines are complete beyond `offsets`: about what `tail_results` would return, for a fraction
    of its cost. `counted`: an empty dictionary at first, kept by who looks again and again with the same
    offsets, so that each line is looked at once."""
    counted = {} if counted is None else counted
    for name, size in _sizes(job_dir).items():
        start, lines = counted.get(name, (offsets.get(name, 0), 0))
        if size > start:
            with suppress(FileNotFoundError, _NotOurs), _open(job_dir / "results" / name) as file:
                file.seek(start)
                while block := file.read(1 << 20):
                    lines += block.count(b"\n")
                counted[name] = file.tell(), lines
    return sum(lines for _, lines in counted.values())


def finished_images(job_dir: Path, chunk: str) -> set[str]:
    """Ids of the photos of `chunk` that have a document, whoever wrote it."""
    images: set[str] = set()
    for name in _sizes(job_dir):
        if name.startswith(f"{chunk}@"):
            with suppress(FileNotFoundError, _NotOurs):
                documents, _ = _read_from(job_dir / "results" / name, 0, limit=1 << 60)
                images |= {str(document.get("image")) for document in documents}
    return images


def output_file(job_dir: Path, output: Mapping[str, Any]) -> Path:
    """The file of one of a document's `outputs`: inside `output/`, a plain file and no link, as long as the
    document says. Raises BadJobFolder otherwise. The last guards against a file whose bytes a power cut
    took."""
    folder, _, name = str(output.get("path", "")).partition("/")
    try:
        path = job_dir / "output" / check_name(name)
    except ValueError as error:
        raise BadJobFolder(str(error)) from None
    if folder != "output":
        raise BadJobFolder(f"{output.get('path')!r} is not in output/")
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise BadJobFolder(f"{path} is missing") from None
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise BadJobFolder(f"{path} is not a plain file of its own")
    if found.st_size != output.get("bytes"):
        raise BadJobFolder(f"{path} has {found.st_size} bytes, its document says {output.get('bytes')}")
    return path


def _sizes(job_dir: Path) -> dict[str, int]:
    """Bytes by name; a link's is that of the link itself."""
    sizes = {}
    with suppress(FileNotFoundError):
        for entry in os.scandir(job_dir / "results"):
            if entry.name.endswith(".jsonl") and not entry.name.startswith("."):
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
    return sizes


def _read_from(path: Path, start: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    documents: list[dict[str, Any]] = []
    with _open(path) as file:
        if start >= os.fstat(file.fileno()).st_size:
            return documents, start
        file.seek(start)
        while len(documents) < limit:
            line = file.readline(MAX_LINE)
            if not line.endswith(b"\n"):
                if len(line) < MAX_LINE:
                    break  # torn, or still being written
                start += len(line)  # no document of ours is this long
                continue
            start += len(line)
            with suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict):
                    documents.append(value)
    return documents, start


def _open(path: Path) -> BinaryIO:
    """Raises _NotOurs for a link, and for what is no plain file."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _NotOurs if error.errno == errno.ELOOP else error from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _NotOurs
    return open(opened, "rb")  # the caller closes it
