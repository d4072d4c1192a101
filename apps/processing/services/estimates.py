"""How long things take: from what was measured on this cluster, or else from the catalogue's first guess.

work      seconds that one node needs for the photos of a job
ahead     the work of the jobs that come first
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Count, ExpressionWrapper, F, FloatField, OuterRef, Q, Subquery, Sum
from django.db.models.functions import NullIf
from django.utils import timezone

from apps.cluster.queries import node_views
from apps.processing import catalog
from apps.processing.models import AppTiming, Job
from marketplace.prepared import Prepared

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


_WORK_LEFT = ExpressionWrapper(
    F("estimated_seconds") * (F("total") - F("done")) / NullIf(F("total"), 0), output_field=FloatField()
)


_SUMS = Prepared(
    lambda: (
        Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
        .order_by()
        .values_list("status")
        .annotate(jobs=Count("id"), seconds=Sum(_WORK_LEFT))
    )
)


@dataclass(frozen=True)
class Load:
    """So many jobs, and the seconds of work that are left of them."""

    jobs: int = 0
    seconds: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.jobs + other.jobs, self.seconds + other.seconds)


@dataclass(frozen=True)
class Board:
    """What is queued and running, and what can work: read once for a whole list, and as sums only.

    Positions are by age. The controller also shares nodes fairly between owners, so a short job of somebody
    who has nothing running starts earlier than its position says; never later.
    """

    running: Load = Load()
    queued: Load = Load()
    before: Mapping[str, Load] = field(default_factory=dict)  # queued before each job that was asked about
    nodes: int = 0
    slots: int = 0

    @classmethod
    def now(cls, jobs: Iterable[Job] = ()) -> Board:
        """`jobs`: those that will be shown; where they stand in the queue is looked up together."""
        loads = {status: Load(count, seconds or 0.0) for status, count, seconds in _SUMS.rows()}
        views = node_views()
        return cls(
            running=loads.get(Job.Status.RUNNING, Load()),
            queued=loads.get(Job.Status.QUEUED, Load()),
            before=_queued_before([job.id for job in jobs if job.status == Job.Status.QUEUED]),
            nodes=len(views),
            slots=sum(view.slots for view in views),
        )

    def waiting(self, job: Job | None = None) -> Waiting:
        """For a queued job that the board was made for, or for one that would be submitted now."""
        queued = self.queued if job is None else self.before.get(job.id, Load())
        ahead = self.running + queued
        if not self.slots:
            text = "No node is alive: the job starts as soon as one is."
            return Waiting(1 + queued.jobs, None, text)
        return Waiting(1 + queued.jobs, ahead.seconds / self.slots, self._reason(ahead.jobs))

    def _reason(self, ahead: int) -> str:
        if not ahead:
            return "Starting."
        busy = "1 node is" if self.nodes == 1 else f"{self.nodes} nodes are"
        return f"Waiting: {busy} busy with {ahead} {'job' if ahead == 1 else 'jobs'} ahead."

    def lanes(self, parallelism: int) -> int:
        """How many workers a job can have at once."""
        return max(1, min(self.slots, parallelism or self.slots))


def _queued_before(job_ids: Collection[str]) -> dict[str, Load]:
    """What is queued before each of these jobs. One query, whatever their number."""
    if not job_ids:
        return {}
    older = Q(queued_at__lt=OuterRef("queued_at")) | Q(queued_at=OuterRef("queued_at"), id__lt=OuterRef("id"))
    ahead = Job.objects.filter(older, status=Job.Status.QUEUED).order_by().values("status")
    rows = Job.objects.filter(id__in=job_ids).values_list(
        "id",
        Subquery(ahead.annotate(n=Count("id")).values("n")),
        Subquery(ahead.annotate(seconds=Sum(_WORK_LEFT)).values("seconds")),
    )
    return {job_id: Load(count or 0, seconds or 0.0) for job_id, count, seconds in rows}


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
