"""An engine in memory, for tests: nodes and workers do what the test says.

    engine = FakeEngine()
    engine.add_node("node-1", slots=2)
    engine.start(worker); engine.exit(worker, "done"); engine.lose(worker, "…")

It writes Node rows as the real one does, and touches no job folder but for `stop` and `cleanup`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from django.conf import settings

import jobfolder
from apps.cluster.engines.base import EngineError, Observation, PlacementSpec
from apps.cluster.models import Node
from jobfolder import Heartbeat


@dataclass(frozen=True)
class FakeNode:
    slots: int
    speed: float


class FakeEngine:
    name: ClassVar[str] = "fake"

    def __init__(self) -> None:
        self.placed: list[PlacementSpec] = []
        self.stopped: list[str] = []
        self.cleaned: list[str] = []
        self.broken = ""  # set it to have `place` fail with this message
        self._nodes: dict[str, FakeNode] = {}
        self._seen: dict[str, dict[str, Observation]] = {}

    # What the test says

    def add_node(self, name: str, slots: int = 1, speed: float = 1.0) -> None:
        self._nodes[name] = FakeNode(slots, speed)

    def remove_node(self, name: str) -> None:
        """The node falls silent, and with it the workers on it."""
        self._nodes.pop(name, None)
        for spec in self.placed:
            seen = self._seen[spec.job_id][spec.worker]
            if spec.node == name and seen.state in {"waiting", "running"}:
                self.lose(spec.worker, f"{name} gives no sign of life.")

    def start(self, worker: str) -> None:
        self._see(worker, "running", "", "working")

    def exit(self, worker: str, reason: str = "No photos were left for it.") -> None:
        self._see(worker, "exited", reason, "exited")

    def lose(self, worker: str, reason: str = "No sign of life for 5 s.") -> None:
        spec = self._spec(worker)
        old = self._seen[spec.job_id][worker]
        self._seen[spec.job_id][worker] = Observation("lost", reason, old.heartbeat)

    # What the controller asks

    def sync_nodes(self) -> None:
        now = datetime.now(UTC)
        rows = [
            Node(name=name, engine=self.name, slots=node.slots, speed=node.speed, started=now, last_seen=now)
            for name, node in self._nodes.items()
        ]
        fields = ["engine", "state", "slots", "speed", "last_seen"]
        Node.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=fields)
        Node.objects.filter(engine=self.name).exclude(name__in=self._nodes).update(state=Node.State.LOST)

    def place(self, spec: PlacementSpec) -> None:
        if self.broken:
            raise EngineError(self.broken)
        workers = self._seen.setdefault(spec.job_id, {})
        if spec.worker not in workers:
            self.placed.append(spec)
            workers[spec.worker] = Observation("waiting", f"Handed to {spec.node}.")

    def observe(self, job_id: str) -> dict[str, Observation]:
        workers = self._seen.get(job_id, {})
        for spec in self.placed:
            if (
                spec.job_id == job_id
                and spec.node not in self._nodes
                and workers[spec.worker].state == "waiting"
            ):
                reason = f"{spec.node} gives no sign of life at all; the worker had not started."
                workers[spec.worker] = Observation("lost", reason)
        return dict(workers)

    def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)
        jobfolder.request_stop(jobfolder.job_dir(settings.DATA_DIR, job_id))

    def cleanup(self, job_id: str) -> None:
        self.cleaned.append(job_id)
        self._seen.pop(job_id, None)
        self.placed = [spec for spec in self.placed if spec.job_id != job_id]
        jobfolder.delete(jobfolder.job_dir(settings.DATA_DIR, job_id))

    def sweep(self) -> None:
        """Nothing was made for a worker."""

    def _see(self, worker: str, state: str, reason: str, beating: str) -> None:
        spec, now = self._spec(worker), time.time()
        beat = Heartbeat(worker, spec.node, pid=1, started=now, time=now, state=beating, reason=reason)
        self._seen[spec.job_id][worker] = Observation(state, reason, beat)

    def _spec(self, worker: str) -> PlacementSpec:
        for spec in self.placed:
            if spec.worker == worker:
                return spec
        raise LookupError(f"{worker} was never placed")
