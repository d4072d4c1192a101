"""An engine whose workers run when a test says so, in this process, on real job folders."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

import jobfolder
from apps.cluster.engines import EngineError, Observation, PlacementSpec
from apps.cluster.models import Node
from jobfolder import Chunk, ChunkImage, Heartbeat, chunks
from jobfolder.results import finished_images

Outcome = Callable[[ChunkImage], str]  # "" for a result, else the code with which the photo fails


def always_ok(image: ChunkImage) -> str:
    return ""


@dataclass
class FakeWorker:
    """Works as a real one does, photo by photo, so that a test can stop it anywhere."""

    spec: PlacementSpec
    state: str = "running"
    reason: str = ""
    chunk: Chunk | None = None
    refused: bool = False

    @property
    def folder(self) -> Path:
        return jobfolder.job_dir(settings.DATA_DIR, self.spec.job_id)

    def claim(self) -> bool:
        self.chunk = chunks.claim(self.folder, self.spec.worker)
        return self.chunk is not None

    def write(self, image: ChunkImage, attempt: int, outcome: Outcome = always_ok, /, **changes: Any) -> None:
        """One photo: its output file, then its document."""
        code = outcome(image)
        document = self.document(image, attempt, code) | changes
        with (self.folder / "results" / f"{self.chunk.name}@{self.spec.worker}.jsonl").open("a") as file:
            file.write(json.dumps(document) + "\n")

    def document(self, image: ChunkImage, attempt: int, code: str = "") -> dict[str, Any]:
        now = time.time()
        return {
            "job": self.spec.job_id,
            "image": image.image,
            "position": image.position,
            "name": image.name,
            "sha256": image.sha256,
            "attempt": attempt,
            "status": "failed" if code else "ok",
            "error": {"code": code, "message": f"It is {code}."} if code else None,
            "node": self.spec.node,
            "worker": self.spec.worker,
            "started": now - 0.5,
            "finished": now,
            "width": 1000,
            "height": 1000,
            "bytes": 100,
            "timings": {"process_ms": 3.5},
            "outputs": [] if code else self.outputs(image),
            "data": None,
        }

    def outputs(self, image: ChunkImage) -> list[dict[str, Any]]:
        found = []
        for kind, media_type, suffix in (("image", "image/png", ".png"), ("text", "text/plain", ".txt")):
            data = f"{kind} of {image.image}".encode()
            path = self.folder / "output" / f"{image.image}{suffix}"
            path.write_bytes(data)
            output = {
                "kind": kind,
                "name": Path(image.name).stem + suffix,
                "path": f"output/{path.name}",
                "media_type": media_type,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
            found.append(output | ({"width": 20, "height": 10} if kind == "image" else {}))
        return found

    def work(self, images: int | None = None, outcome: Outcome = always_ok) -> int:
        """Up to `images` photos; ends like a real worker when nothing is pending. How many were done."""
        done = 0
        while self.state == "running" and (images is None or done < images):
            if jobfolder.stop_requested(self.folder):
                return self._end("It was told to stop.", done)
            if jobfolder.leave_requested(self.folder, self.spec.worker):
                return self._end("Its slot was wanted for another job.", done)
            if self.chunk is None and not self.claim():
                return self._end("No photos were left for it.", done)
            left = [
                i for i in self.chunk.images if i.image not in finished_images(self.folder, self.chunk.name)
            ]
            if left:
                self.write(left[0], self.chunk.attempt, outcome)
                done += 1
            if len(left) <= 1:
                chunks.finish(self.folder, self.chunk.name, self.spec.worker)
                self.chunk = None
        return done

    def _end(self, reason: str, done: int) -> int:
        if self.chunk:
            chunks.give_back(self.folder, self.chunk.name, self.spec.worker)
            self.chunk = None
        self.state, self.reason = "exited", reason
        return done

    def refuse(self, reason: str) -> None:
        """End because the job can't be run here."""
        self.state, self.reason, self.refused = "exited", reason, True

    def heartbeat(self) -> Heartbeat:
        reason = f"error: {self.reason}" if self.refused else self.reason
        return Heartbeat(self.spec.worker, self.spec.node, 1, 0.0, 0.0, reason=reason)

    def die(self) -> None:
        """Without a word; what it claimed stays claimed."""
        self.state, self.reason = "lost", "No sign of life for 6 s."


class FakeEngine:
    name = "fake"

    def __init__(self, **slots: int) -> None:
        self.slots = slots
        self.workers: dict[str, FakeWorker] = {}
        self.broken = False
        self.stopped: list[str] = []

    def sync_nodes(self) -> None:
        ready, lost = Node.State.READY, Node.State.LOST
        Node.objects.exclude(name__in=self.slots).update(state=lost)
        for name, slots in self.slots.items():
            defaults = {"engine": self.name, "slots": slots, "state": ready}
            Node.objects.update_or_create(name=name, defaults=defaults)

    def place(self, spec: PlacementSpec) -> None:
        if self.broken:
            raise EngineError("the broker does not answer")
        self.workers.setdefault(spec.worker, FakeWorker(spec))

    def observe(self, job_id: str) -> dict[str, Observation]:
        return {
            name: Observation(worker.state, worker.reason, worker.heartbeat())
            for name, worker in self.workers.items()
            if worker.spec.job_id == job_id
        }

    def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)
        jobfolder.request_stop(jobfolder.job_dir(settings.DATA_DIR, job_id))

    def cleanup(self, job_id: str) -> None:
        jobfolder.delete(jobfolder.job_dir(settings.DATA_DIR, job_id))

    def running(self, job_id: str = "") -> list[FakeWorker]:
        return [
            worker
            for worker in self.workers.values()
            if worker.state == "running" and worker.spec.job_id.startswith(job_id)
        ]

    def work(self, images: int | None = None, outcome: Outcome = always_ok) -> int:
        return sum(worker.work(images, outcome) for worker in self.running())
