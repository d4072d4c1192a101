"""Server-sent events of one job: `progress` when something moved, `state` when the job's state changed.

A stream costs one short query each POLL seconds, and a second one when something moved. It says something at
least every HEARTBEAT seconds, so that a dead connection is noticed, and ends when the job has ended or after
LONGEST seconds: the browser then connects again by itself.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from apps.processing import queries
from apps.processing.models import Job
from apps.processing.services.states import FINISHED
from marketplace.api import too_many

POLL, HEARTBEAT, LONGEST = 0.5, 15.0, 300.0
MAX_STREAMS = 12  # of this process; each holds one of its threads
MAX_OF_ONE = 3  # of these, for one user
_WATCHED = ("status", "reason", "attempt", "done", "failed", "output_folder_id", "cancel_requested_at")

_open: Counter[str] = Counter()  # streams by owner
_lock = threading.Lock()


class Stream(Iterator[bytes]):
    """The body of a response. Counts against MAX_STREAMS and MAX_OF_ONE from its making until it ends or is
    closed."""

    def __init__(
        self,
        job: Job,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ApiError 429 when this process, or the job's owner, has too many streams already."""
        with _lock:
            if _open[job.owner_id] >= MAX_OF_ONE or _open.total() >= MAX_STREAMS:
                raise too_many("Too many live views are open. The page refreshes itself meanwhile.", 5)
            _open[job.owner_id] += 1
        self._owner = job.owner_id
        self._closed = False
        self._lines = _lines(job.id, clock, sleep)

    def __next__(self) -> bytes:
        try:
            return next(self._lines).encode()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Called by Django when the client is gone. A generator that was never begun has no `finally`, so
        the place is given back here."""
        with _lock:
            if self._closed:
                return
            self._closed = True
            _open[self._owner] -= 1
            if not _open[self._owner]:
                del _open[self._owner]


def _lines(job_id: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[str]:
    yield "retry: 2000\n\n"
    end = clock() + LONGEST
    spoke = clock()
    before: dict[str, Any] = {}
    while True:
        now = Job.objects.filter(id=job_id).values(*_WATCHED).first()
        if now is None:
            return  # removed
        queued = now["status"] == Job.Status.QUEUED
        if now != before or (queued and clock() - spoke >= 2.0):
            yield from _tell(job_id, now["status"] != before.get("status"))
            before, spoke = now, clock()
        if now["status"] in FINISHED or clock() >= end:
            return
        if clock() - spoke >= HEARTBEAT:
            yield ": still here\n\n"
            spoke = clock()
        sleep(POLL)


def _tell(job_id: str, state_changed: bool) -> Iterator[str]:
    job = Job.objects.prefetch_related(queries.PLACEMENTS).filter(id=job_id).first()
    if job is None:
        return
    progress = queries.progress(job)
    yield _event("progress", as_json(progress))
    if state_changed:
        state = {"status": job.status, "reason": progress.reason, "output_folder": job.output_folder_id}
        yield _event("state", state)


def as_json(progress: queries.Progress) -> dict[str, Any]:
    """What a `progress` event carries."""
    return {
        "status": progress.status,
        "reason": progress.reason,
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "percent": progress.percent,
        "queue_position": progress.queue_position,
        "eta_seconds": _rounded(progress.eta_seconds),
        "images_per_second": _rounded(progress.images_per_second),
        "workers": [
            {
                "node": lane.node,
                "status": lane.state,
                "done": lane.done,
                "chunk": lane.chunk,
                "chunk_done": lane.chunk_done,
                "chunk_total": lane.chunk_total,
                "images_per_second": _rounded(lane.images_per_second),
            }
            for lane in progress.lanes
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
