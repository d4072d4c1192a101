"""The queue: planning chunks, claiming them by a rename, giving them back, finishing them.

    pending/<chunk>.json ──claim──▶ claimed/<chunk>.json@<worker> ──finish──▶ done/<chunk>.json
             ▲                                   │
             └──────── release, give back ───────┘

A rename within one file system happens once: of two workers that want a chunk, one gets it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobfolder.heartbeats import read_worker
from jobfolder.layout import (
    BadJobFolder,
    Chunk,
    ChunkImage,
    check_name,
    check_sha256,
    chunk_to_json,
    read_json,
    temporary,
    write_json,
)
from jobfolder.results import finished_images

MAX_STRIKES = 5  # a machine that is being rebooted may strike an innocent photo more than once
_TAIL_PER_WORKER = 16
_LEAST_SECONDS = 0.05  # below this, claiming costs more than it evens out


@dataclass(frozen=True)
class Claimed:
    """A claim as its file's name tells it."""

    chunk: str
    worker: str


def plan_chunks(
    items: Sequence[ChunkImage],
    seconds: float | Callable[[ChunkImage], float],
    *,
    attempt: int = 1,
    parallelism: int = 1,
    target_seconds: float = 1.5,
) -> list[Chunk]:
    """Cut `items` into chunks of about `target_seconds` of work, less as less is left to do, so that
    `parallelism` workers finish together, however unequal they are.

    Photos of much work come first, those of like work (within a power of two) in order: one that a slow
    worker begins at the end would keep all others waiting. A chunk is at most half of a worker's share of
    what is left. The last tenth (at most 16 photos a worker) goes one photo a chunk. `seconds`: guessed
    work of a photo.
    """
    cost = seconds if callable(seconds) else lambda _: seconds
    parallelism = max(1, parallelism)
    items = sorted(items, key=lambda item: -_magnitude(cost(item)))
    tail = min(len(items) // 10, _TAIL_PER_WORKER * parallelism)
    body, singles = items[: len(items) - tail], items[len(items) - tail :]
    total = left = sum(cost(item) for item in items)
    longest = math.ceil(len(items) / parallelism)

    groups: list[list[ChunkImage]] = []
    spent = math.inf
    most = 0.0
    for item in body:
        if spent + cost(item) > most + 1e-9 or len(groups[-1]) >= longest:
            groups.append([])
            spent = 0.0
            share = left if parallelism > 1 else total  # one worker finishes with itself
            most = min(target_seconds, max(_LEAST_SECONDS, share / (2 * parallelism)))
        groups[-1].append(item)
        spent += cost(item)
        left -= cost(item)
    groups += [[item] for item in singles]
    digits = max(4, len(str(len(groups))))
    return [Chunk(f"{attempt}-{number:0{digits}}", tuple(group)) for number, group in enumerate(groups, 1)]


def _magnitude(seconds: float) -> int:
    """The power of two that the work lies above; what takes no time comes last."""
    return math.frexp(seconds)[1] if seconds > 0 else -10_000


def add_chunks(job_dir: Path, chunks: Iterable[Chunk]) -> int:
    """Add what is new of `chunks` to the queue, for a retry; give them an attempt of their own. How many
    were new.

    Calling this again after a crash adds the rest. Raises FileNotFoundError when the job's folder is gone.
    """
    known = _names(job_dir / "pending") | {c.chunk for c in claims(job_dir)} | _names(job_dir / "done")
    added = 0
    for chunk in chunks:
        if chunk.name not in known:
            write_json(job_dir / "pending" / f"{check_name(chunk.name)}.json", chunk_to_json(chunk))
            added += 1
    return added


def pending(job_dir: Path) -> list[str]:
    """Names of chunks that nobody has claimed, in order. Empty when the folder is gone."""
    return sorted(_names(job_dir / "pending"))


def pending_count(job_dir: Path) -> int:
    return len(_names(job_dir / "pending"))


def claims(job_dir: Path, worker: str | None = None) -> list[Claimed]:
    """What is claimed, by `worker` or by anybody."""
    found = []
    for entry in _listdir(job_dir / "claimed"):
        chunk, separator, who = entry.partition(".json@")
        if separator and not entry.startswith(".") and worker in (None, who):
            found.append(Claimed(chunk, who))
    return sorted(found, key=lambda claim: (claim.chunk, claim.worker))


def is_finished(job_dir: Path) -> bool:
    """No chunk is pending or claimed. `claimed` is read before and after `pending`, because a chunk that is
    claimed or given back in between would be in neither of two listings."""
    return not claims(job_dir) and not pending_count(job_dir) and not claims(job_dir)


def claim(job_dir: Path, worker: str) -> Chunk | None:
    """The first pending chunk, now claimed by `worker`; None when nothing is pending.

    A chunk that makes no sense (a power cut emptied it) is set aside in `done/`; the controller sees a
    finished job with documents missing, and adds their photos again or fails them.
    """
    for name in pending(job_dir):
        try:
            (job_dir / "pending" / f"{name}.json").rename(claim_path(job_dir, name, worker))
        except FileNotFoundError:
            continue  # another worker was faster
        try:
            return read_chunk(claim_path(job_dir, name, worker), name)
        except BadJobFolder:
            finish(job_dir, name, worker)
        except FileNotFoundError:
            continue  # taken away again already
    return None


def claim_path(job_dir: Path, chunk: str, worker: str) -> Path:
    return job_dir / "claimed" / f"{chunk}.json@{check_name(worker)}"


def holds(job_dir: Path, chunk: str, worker: str) -> bool:
    """Whether the claim is still there. A worker asks before each photo."""
    return os.path.exists(f"{os.fspath(job_dir)}/claimed/{chunk}.json@{check_name(worker)}")


def give_back(job_dir: Path, chunk: str, worker: str) -> bool:
    """Back to pending, without a strike. False when the claim is gone already."""
    return _move(claim_path(job_dir, chunk, worker), job_dir / "pending" / f"{chunk}.json")


def finish(job_dir: Path, chunk: str, worker: str) -> bool:
    """Done. False when the claim was taken away meanwhile; whoever has it now sees the results and skips
    them."""
    return _move(claim_path(job_dir, chunk, worker), job_dir / "done" / f"{chunk}.json")


def release(job_dir: Path, worker: str, code: str | None = "worker_died") -> list[str]:
    """Give back all that a dead worker claimed, with a strike for the photo it had in hand: the first of
    a chunk without a document. Names of the chunks.

    Only for a worker whose process has ended or whose heartbeat is too old. Calling it twice, or from two
    places at once, gives each chunk back once and counts one strike: a strike's file is named by the worker
    and its start. `code` `timed_out` fails the photo at its next turn, `out_of_memory` at its second strike,
    `worker_died` at its fifth; None: no strike.
    """
    released = []
    for mine in claims(job_dir, worker):
        image = _in_hand(job_dir, mine)
        if image and code:
            beat = read_worker(job_dir, worker)
            strike(job_dir, image, f"{worker}.{int(beat.started * 1000) if beat else 0}", code)
        if give_back(job_dir, mine.chunk, worker):
            released.append(mine.chunk)
    return released


def _in_hand(job_dir: Path, mine: Claimed) -> str | None:
    """A worker takes the photos of its chunk in order and writes a document after each."""
    try:
        chunk = read_chunk(claim_path(job_dir, mine.chunk, mine.worker), mine.chunk)
    except (FileNotFoundError, BadJobFolder):
        return None
    finished = finished_images(job_dir, mine.chunk)
    return next((image.image for image in chunk.images if image.image not in finished), None)


def strike(job_dir: Path, image: str, cause: str, code: str) -> None:
    """Note that a worker died over `image`; once for each `cause`."""
    path = job_dir / "strikes" / f"{check_name(image)}@{check_name(cause)}"
    partial = temporary(path)
    with suppress(FileNotFoundError):  # the folder is gone: nothing to remember
        partial.write_text(json.dumps({"code": code}), encoding="utf-8")
        with suppress(FileExistsError):
            path.hardlink_to(partial)
        partial.unlink()


def strikes(job_dir: Path) -> dict[str, list[str]]:
    """The codes of the strikes of each photo that has any."""
    found: dict[str, list[str]] = {}
    for entry in sorted(_listdir(job_dir / "strikes")):
        image, separator, _ = entry.partition("@")
        if separator and not entry.startswith("."):
            with suppress(FileNotFoundError, BadJobFolder):
                code = str(read_json(job_dir / "strikes" / entry).get("code"))
                found.setdefault(image, []).append(code)
    return found


def verdict(codes: Sequence[str]) -> str | None:
    """The code with which a photo fails after these strikes, or None: it deserves another try.

    A worker that ran out of memory may have been full of other things: the photo gets a second try in a new
    one, and no third.
    """
    if "timed_out" in codes:
        return "timed_out"
    if codes.count("out_of_memory") > 1:
        return "out_of_memory"
    return "worker_died" if len(codes) >= MAX_STRIKES else None


def read_chunk(path: Path, name: str) -> Chunk:
    """Raises FileNotFoundError or BadJobFolder."""
    value = read_json(path)
    try:
        chunk = Chunk(name, tuple(ChunkImage(**image) for image in value["images"]))
        for image in chunk.images:
            check_name(image.image)
            check_sha256(image.sha256)
        int(chunk.attempt)
    except (KeyError, TypeError, ValueError) as error:
        raise BadJobFolder(f"{path}: {error}") from None
    return chunk


def _move(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    return True


def _listdir(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _names(folder: Path) -> set[str]:
    return {
        entry.removesuffix(".json")
        for entry in _listdir(folder)
        if entry.endswith(".json") and not entry.startswith(".")
    }
