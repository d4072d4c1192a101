"""What pages and the API read about jobs. The number of queries never depends on the number of rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.cache import cache
from django.db.models import Prefetch, Q, QuerySet
from redis import RedisError

from apps.accounts.models import User
from apps.drive.models import Image
from apps.processing import access, catalog
from apps.processing.classes import known_classes
from apps.processing.documents import store
from apps.processing.documents.base import Counts, Doc, Event, Filters, Span
from apps.processing.folders import chunks_in_hand
from apps.processing.models import Job, JobImage, Placement
from apps.processing.services import estimates
from apps.processing.services.estimates import Board
from apps.processing.services.states import ACTIVE
from marketplace.prepared import Prepared

log = logging.getLogger(__name__)
COUNTS_SECONDS = 24 * 3600  # for which the counts of a finished job are kept
ORDERS = ("created", "-created", "finished", "-finished", "status", "-status")
_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)


@dataclass(frozen=True)
class Lane:
    """One node's part of a job, for a lane of the live view."""

    node: str
    worker: str  # the newest worker of the job on this node
    state: str  # placed | running | exited | lost
    reason: str
    done: int  # photos of this job finished on this node
    chunk: str = ""  # the chunk in hand
    chunk_done: int = 0
    chunk_total: int = 0
    images_per_second: float | None = None  # None until measured


@dataclass(frozen=True)
class Progress:
    """`done` counts every photo with a result, the failed among them."""

    status: str
    reason: str  # in words; while queued: what it waits for
    total: int
    done: int
    failed: int
    queue_position: int | None  # 1: next; None unless queued
    eta_seconds: float | None  # None when finished or when nothing can be said
    images_per_second: float | None
    lanes: list[Lane]

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


@dataclass(frozen=True)
class Segment:
    """Consecutive photos on one worker, merged when there are many. Seconds since the timeline's start."""

    start: float
    end: float
    status: str  # ok, or failed if any of them failed
    images: int
    name: str  # of the photo, or of the first one


@dataclass(frozen=True)
class TimelineLane:
    node: str
    worker: str
    segments: list[Segment]


@dataclass(frozen=True)
class Timeline:
    started: datetime | None  # of the first photo
    seconds: float  # from the first photo's start to the last one's end
    lanes: list[TimelineLane]  # by node, then worker


@dataclass(frozen=True)
class ResultItem:
    document: Doc
    output: Image | None  # with its attachments prefetched; None if failed, trashed or without an image
    input: Image | None  # None if deleted since


@dataclass(frozen=True)
class ResultsPage:
    items: list[ResultItem]
    after: int | None  # pass as `after` for the next page; None at the end


def jobs_of(user: User, *, q: str = "", status: str = "", order: str = "-created") -> QuerySet[Job]:
    """The user's jobs; `q` looks in app title, folder name and id; `order`: created, -created, finished,
    -finished, status, -status. Unknown values of status and order are ignored. Placements are prefetched, so
    `lanes` and `present` cost nothing more. Page it with Django's Paginator."""
    jobs = Job.objects.filter(owner=user).prefetch_related(PLACEMENTS)
    if q := q.replace("\x00", "").strip():
        jobs = jobs.filter(Q(app_title__icontains=q) | Q(folder_name__icontains=q) | Q(id=q))
    if status in Job.Status.values:
        jobs = jobs.filter(status=status)
    return jobs.order_by(order if order in ORDERS else "-created", "-id")


def job_for_page(user: User, job_id: str) -> Job:
    """The job with folder, output_folder and placements loaded; Http404 if it is not the user's."""
    loaded = Job.objects.select_related("folder", "output_folder")
    return _with_placements(access.job_in(loaded, user, job_id))


def job_for_api(user: User, job_id: str) -> Job:
    """The job with its placements loaded, as cheaply as can be: clients ask for it again and again.
    Http404 if it is not the user's."""
    return _with_placements(access.job_for(user, job_id))


def _with_placements(job: Job) -> Job:
    job.loaded_placements = _PLACEMENTS.models(job.id)
    return job


_PLACEMENTS = Prepared(lambda job_id: Placement.objects.filter(job_id=job_id).order_by("id"))
PLACEMENTS = Prefetch("placements", Placement.objects.order_by("id"), to_attr="loaded_placements")


def progress(job: Job, board: Board | None = None) -> Progress:
    """Where the job stands now. `board`: pass one made for all of them when asking about several jobs."""
    board = board or (Board.now([job]) if job.status in ACTIVE else _IDLE)
    lanes = _lanes(job)
    reason, position = job.reason, None
    if job.status == Job.Status.QUEUED:
        waiting = board.waiting(job)
        position, reason = waiting.position, job.reason or waiting.reason
    working = sum(lane.state in _LIVE for lane in lanes)
    if job.status == Job.Status.RUNNING and not reason:
        reason = _waits(lanes) if working else _BETWEEN if board.slots else _NO_NODE
    return Progress(
        status=job.status,
        reason=reason,
        total=job.total,
        done=job.done,
        failed=job.failed,
        queue_position=position,
        eta_seconds=estimates.eta(job, board, working),
        images_per_second=estimates.images_per_second(job),
        lanes=lanes,
    )


_BETWEEN = "Waiting for a node to be free."
_NO_NODE = "No node is alive: the job goes on as soon as one is."
_IDLE = Board()


def _waits(lanes: Sequence[Lane]) -> str:
    """Why nothing is done although there are workers: none of them has started, and one says what for."""
    if any(lane.state == Placement.State.RUNNING for lane in lanes):
        return ""
    reasons = (lane.reason for lane in lanes if lane.state == Placement.State.PLACED and lane.reason)
    return next((f"Waiting: {reason}" for reason in reasons), "")


def _lanes(job: Job) -> list[Lane]:
    """The job's nodes by name. A node that had several workers one after another shows its newest."""
    by_node: dict[str, list[Placement]] = {}
    loaded = getattr(job, "loaded_placements", None)
    for placement in job.placements.order_by("id") if loaded is None else loaded:
        by_node.setdefault(placement.node, []).append(placement)
    in_hand = chunks_in_hand(job) if job.status == Job.Status.RUNNING else {}
    return [_lane(job, placements, in_hand) for _, placements in sorted(by_node.items())]


def _lane(job: Job, placements: Sequence[Placement], in_hand: dict[str, tuple[str, int, int]]) -> Lane:
    newest = max(placements, key=lambda one: (one.state in _LIVE, one.id))
    # A job ends with its last result, a moment before its workers have left.
    leaving = job.finished is not None and newest.state in _LIVE
    chunk, chunk_done, chunk_total = in_hand.get(newest.worker, ("", 0, 0))
    return Lane(
        node=newest.node,
        worker=newest.worker,
        state=Placement.State.EXITED if leaving else newest.state,
        reason=newest.reason,
        done=sum(placement.done for placement in placements),
        chunk=chunk,
        chunk_done=chunk_done,
        chunk_total=chunk_total,
        images_per_second=_pace(job, placements),
    )


def _pace(job: Job, placements: Sequence[Placement]) -> float | None:
    """Photos a second over the time that the node has worked on the job."""
    now = job.finished or datetime.now(UTC)
    seconds = sum(((one.finished or now) - one.started).total_seconds() for one in placements if one.started)
    done = sum(placement.done for placement in placements)
    return done / seconds if done and seconds > 0 else None


def timeline(job: Job, segments: int = 500) -> Timeline:
    """Which node did what when, in about `segments` segments at most (at least one a worker)."""
    spans = [span for span in store().spans(job.id) if span.worker]
    if not spans:
        return Timeline(None, 0.0, [])
    start = min(span.started for span in spans)
    by_worker: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        by_worker.setdefault((span.node, span.worker), []).append(span)
    size = -(-len(spans) // segments)  # photos a segment, rounded up
    lanes = [
        TimelineLane(node, worker, [_segment(start, part) for part in _parts(mine, size)])
        for (node, worker), mine in sorted(by_worker.items())
    ]
    seconds = max(span.finished for span in spans) - start
    return Timeline(datetime.fromtimestamp(start, UTC), seconds, lanes)


def _parts(spans: Sequence[Span], size: int) -> Iterable[Sequence[Span]]:
    return (spans[index : index + size] for index in range(0, len(spans), size))


def _segment(start: float, spans: Sequence[Span]) -> Segment:
    return Segment(
        start=round(spans[0].started - start, 3),
        end=round(max(span.finished for span in spans) - start, 3),
        status="failed" if any(span.status == "failed" for span in spans) else "ok",
        images=len(spans),
        name=spans[0].name,
    )


def results_page(
    job: Job, filters: Filters | None = None, after: int | None = None, limit: int = 60
) -> ResultsPage:
    """Documents by position, with their photos before and after."""
    docs = store().page(job.id, filters, after, limit + 1)
    more, docs = len(docs) > limit, docs[:limit]
    return ResultsPage(_with_images(job, docs), docs[-1]["position"] if more else None)


def results_by_label(job: Job, filters: Filters, labels: Sequence[str], limit: int) -> list[list[ResultItem]]:
    """The first results of each label: a query a label, and the photos of all of them together."""
    pages = [store().page(job.id, filters.with_label(label), None, limit) for label in labels]
    items = iter(_with_images(job, [doc for docs in pages for doc in docs]))
    return [[next(items) for _ in docs] for docs in pages]


def result_counts(job: Job) -> Counts:
    """Of a finished job they are counted once: nothing is added to its documents but by a retry, which is
    another attempt. Should the cache be gone, they are counted."""
    if job.finished is None:
        return store().counts(job.id)
    key = f"counts:{job.id}:{job.attempt}:{job.done}"
    try:
        kept = cache.get(key)
        if kept is None:
            kept = store().counts(job.id)
            cache.set(key, kept, COUNTS_SECONDS)
    except RedisError as error:
        log.warning("counts are not kept: %s", error)
        kept = store().counts(job.id)
    return kept


def known_classes_of(job: Job) -> list[str]:
    """The class names of the job's app, in its order; empty if it has none or is gone."""
    return known_classes(catalog.find(job.app))


def failed_of(job: Job, limit: int = 100) -> list[ResultItem]:
    """The photos that failed; `document["error"]` is {code, message}."""
    return _with_images(job, store().page(job.id, Filters(status="failed"), None, limit))


def events_of(job: Job, limit: int = 200) -> list[Event]:
    """What happened to the job, oldest first."""
    return store().events(job.id, limit)


def _with_images(job: Job, docs: Sequence[Doc]) -> list[ResultItem]:
    wanted = [doc["image"] for doc in docs] + [doc["output_image"] for doc in docs if doc.get("output_image")]
    images = (
        Image.objects.filter(owner_id=job.owner_id, trashed_at=None, id__in=wanted)
        .select_related("folder")
        .prefetch_related("attachments")
        .in_bulk()
    )
    return [
        ResultItem(doc, images.get(doc.get("output_image") or ""), images.get(doc["image"])) for doc in docs
    ]


def needed_hashes(owner_id: str, hashes: set[str]) -> set[str]:
    """Those of the owner's `hashes` that a queued or running job still reads: its photos and its tiles."""
    active = Job.objects.filter(owner_id=owner_id, status__in=ACTIVE)
    needed = set(JobImage.objects.filter(job__in=active, sha256__in=hashes).values_list("sha256", flat=True))
    for assets in active.values_list("assets", flat=True):
        for tiles in assets.values():
            needed |= hashes & set(tiles)
    return needed
