"""How long things take: from what was measured on this cluster, or else from the catalogue's first guess.

work      seconds that one node needs for the photos of a job
ahead     the work of the jobs that come first
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from apps.cluster.queries import node_views
from apps.processing import catalog
from apps.processing.models import AppTiming, Job

SECONDS_PER_IMAGE = 0.005  # reading, writing and bookkeeping, whatever the size
_MEASURED_FROM = 5  # finished photos from which a job's own pace is trusted


def seconds_per_megapixel(app: str) -> float:
    """The mean of the nodes' measured figures, or the catalogue's guess."""
    timings = AppTiming.objects.filter(app=app)
    if rows := list(timings.values_list("seconds_per_megapixel", flat=True)):
        return sum(rows) / len(rows)
    known = catalog.find(app)
    return known.seconds_per_megapixel if known else 0.02


def work(app: str, pixels: Iterable[int]) -> float:
    """Seconds of work on one node."""
    sizes = list(pixels)
    return len(sizes) * SECONDS_PER_IMAGE + sum(sizes) / 1e6 * seconds_per_megapixel(app)


@dataclass(frozen=True)
class Waiting:
    """What a queued job waits for."""

    position: int  # 1: next
    seconds: float | None  # until it starts; None when no node is alive
    reason: str


@dataclass(frozen=True)
class Entry:
    """A job as the board sees it."""

    id: str
    status: str
    queued_at: datetime
    seconds: float  # of work left

    @classmethod
    def of(cls, job: Job) -> Entry:
        return cls(job.id, job.status, job.queued_at, remaining_work(job))


@dataclass(frozen=True)
class Board:
    """A snapshot of everything that is queued or running, and of what can work: read once for a whole list.

    Positions are by age. The controller also shares nodes fairly between owners, so a short job of somebody
    who has nothing running starts earlier than its position says; never later.
    """

    entries: Sequence[Entry]
    nodes: int
    slots: int

    @classmethod
    def now(cls) -> Board:
        jobs = Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
        fields = ("id", "status", "attempt", "total", "done", "queued_at", "estimated_seconds")
        views = node_views()
        return cls(
            entries=[Entry.of(job) for job in jobs.only(*fields).order_by("queued_at", "id")],
            nodes=len(views),
            slots=sum(view.slots for view in views),
        )

    def waiting(self, job: Job | None = None) -> Waiting:
        """For a queued job, or for one that would be submitted now."""
        ahead = [
            entry
            for entry in self.entries
            if entry.status == Job.Status.RUNNING
            or job is None
            or (entry.queued_at, entry.id) < (job.queued_at, job.id)
        ]
        ahead = [entry for entry in ahead if job is None or entry.id != job.id]
        position = 1 + sum(entry.status == Job.Status.QUEUED for entry in ahead)
        if not self.slots:
            return Waiting(position, None, "No node is alive: the job starts as soon as one is.")
        seconds = sum(entry.seconds for entry in ahead) / self.slots
        return Waiting(position, seconds, self._reason(len(ahead)))

    def _reason(self, ahead: int) -> str:
        if not ahead:
            return "Starting."
        busy = "1 node is" if self.nodes == 1 else f"{self.nodes} nodes are"
        return f"Waiting: {busy} busy with {ahead} {'job' if ahead == 1 else 'jobs'} ahead."

    def lanes(self, parallelism: int) -> int:
        """How many workers a job can have at once."""
        return max(1, min(self.slots, parallelism or self.slots))


def remaining_work(job: Job) -> float:
    left = (job.total - job.done) / job.total if job.total else 0.0
    return job.estimated_seconds * left


def eta(job: Job, board: Board, workers: int) -> float | None:
    """Seconds until the job is finished; None when it is, or when nothing can be said."""
    if job.status == Job.Status.QUEUED:
        wait = board.waiting(job).seconds
        return None if wait is None else wait + remaining_work(job) / board.lanes(job.parallelism)
    if job.status != Job.Status.RUNNING:
        return None
    pace = images_per_second(job)
    if pace:
        return (job.total - job.done) / pace
    return remaining_work(job) / max(1, workers) if board.slots else None


def images_per_second(job: Job) -> float | None:
    """The job's own pace since this attempt began; None until enough photos are done."""
    fresh = job.done - job.done_before
    if job.started is None or fresh < _MEASURED_FROM:
        return None
    seconds = ((job.finished or timezone.now()) - job.started).total_seconds()
    return fresh / seconds if seconds > 0 else None
