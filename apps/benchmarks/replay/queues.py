"""A job folder as a node's queue, or as one queue for all nodes.

Pieces are added while workers run, so their workers linger (`JobSpec.linger`). Names are numbers in the order
in which pieces were cut: a piece that comes back from a dead node is the first to be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jobfolder
from apps.benchmarks.replay.photos import OWNER, Photo
from jobfolder import Chunk, ChunkImage, JobSpec, Limits

LINGER = 900.0  # seconds; the replay tells its workers when to go
_IMAGE = "t"  # an image's id is this and its task's number


@dataclass(frozen=True)
class Work:
    """What is done to each photo. `app` is a processor's name, `weights` the sha256 of a file in DATA_DIR."""

    app: str
    params: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    version: str = "1"


@dataclass(frozen=True)
class Piece:
    """Images that are bound to a node together."""

    number: int
    tasks: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"1-{self.number:06}"


class Queue:
    def __init__(self, data_dir: Path, job: str, work: Work, limits: Limits) -> None:
        self.job = job
        self.folder = jobfolder.job_dir(data_dir, job)
        self._offsets: dict[str, int] = {}
        spec = JobSpec(
            job=job,
            owner=OWNER,
            app=work.app,
            app_version=work.version,
            params=work.params,
            weights=work.weights,
            limits=limits,
            linger=LINGER,
        )
        jobfolder.create(jobfolder.jobs_root(data_dir), spec, [])

    def put(self, pieces: Sequence[Piece], photos: Sequence[Photo]) -> None:
        chunks = [
            Chunk(
                piece.name,
                tuple(
                    ChunkImage(f"{_IMAGE}{task}", task, f"{task}.jpg", photos[task].sha256)
                    for task in piece.tasks
                ),
            )
            for piece in pieces
        ]
        jobfolder.add_chunks(self.folder, chunks)

    def documents(self) -> list[tuple[int, dict[str, Any]]]:
        """What came in since the last call, by task."""
        found: list[tuple[int, dict[str, Any]]] = []
        while True:
            documents, self._offsets = jobfolder.tail_results(self.folder, self._offsets)
            found += [(int(str(one["image"]).removeprefix(_IMAGE)), one) for one in documents]
            if len(documents) < 1000:
                return found

    def take_all(self) -> set[str]:
        """Names of the pieces that nobody has claimed, which are not in the queue any more."""
        taken = set()
        for name in jobfolder.pending(self.folder):
            (self.folder / "pending" / f"{name}.json").unlink(missing_ok=True)
            taken.add(name)
        return taken

    def stop(self) -> None:
        jobfolder.request_stop(self.folder)

    def beats(self) -> dict[str, jobfolder.Heartbeat]:
        return {beat.worker: beat for beat in jobfolder.read_workers(self.folder)}
