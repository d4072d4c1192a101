"""What an engine does: bring workers onto nodes, and say what became of them.

    node        where workers run; known by its heartbeat
    placement   the decision that a worker of a job runs on a node: a row, made by the controller
    worker      the process that follows from it; known by its heartbeat in the job folder

An engine decides nothing. It is asked again and again, by a controller that may have been killed at any
line, so every method may be called twice, and leaves things as one call would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from jobfolder import Heartbeat

WorkerState = Literal["waiting", "running", "exited", "lost"]


class EngineError(Exception):
    """The engine can't be reached or refused; the message says which part, in words. Nothing was placed, as
    far as is known: what was placed all the same is adopted or removed later. `words` are for the job's
    owner."""

    def __init__(self, message: str = "", words: str = "") -> None:
        super().__init__(message)
        self.words = words


@dataclass(frozen=True)
class PlacementSpec:
    """A worker to start. `worker` is unique for all time: it is the idempotency key. `node` is "" where the
    engine is to choose it (policy `scheduler`)."""

    job_id: str
    worker: str
    node: str


@dataclass(frozen=True)
class Observation:
    """What is known about one worker now.

    waiting  handed to its node, no sign of life yet, and still time for one
    running  its heartbeat is fresh
    exited   ended by itself; `reason` says why
    lost     gone without a word, or never started; what it had claimed may be given back
    """

    state: WorkerState
    reason: str = ""  # in words, for the job's owner
    heartbeat: Heartbeat | None = None  # the last one; None if there never was any
    stuck: bool = False  # it waits for something that may not come by itself: its owner is told the reason
    node: str = ""  # where it is, if the engine knows better than the placement
    strike: str = "worker_died"  # of a lost one: what its death says about the photo in its hand


class Engine(Protocol):
    name: ClassVar[str]

    def sync_nodes(self) -> None:
        """Make the Node rows say what the nodes say. Costs next to nothing when nothing has changed."""
        ...

    def place(self, spec: PlacementSpec) -> None:
        """Have the worker started on its node. Again with the same worker is harmless: one process has a
        worker's name at a time, and a worker without chunks ends at once. Raises EngineError."""
        ...

    def observe(self, job_id: str) -> dict[str, Observation]:
        """The job's workers by name: those whose placement is alive in the database, and any other that
        has ever given a sign of life."""
        ...

    def stop(self, job_id: str) -> None:
        """Ask the job's workers to end after the photo in hand."""
        ...

    def cleanup(self, job_id: str) -> None:
        """Remove what the job left behind outside the database: its folder, and what was made for its
        workers. For ended jobs only."""
        ...

    def sweep(self) -> None:
        """Remove what was made for workers whose placement has ended. Called every few seconds."""
        ...
