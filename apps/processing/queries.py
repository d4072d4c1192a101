"""What pages and the API read about jobs. The number of queries never depends on the number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.drive.models import Image
from apps.processing.documents.base import Counts, Doc, Filters
from apps.processing.models import Job


@dataclass(frozen=True)
class Lane:
    """One node's part of a job, for a lane of the live view."""

    node: str
    worker: str  # the newest worker of the job on this node
    state: str  # placed | running | exited | lost
    reason: str
    done: int  # photos of this job finished on this node
    chunk: str  # the chunk in hand, "" if none
    chunk_done: int
    chunk_total: int
    seconds_per_image: float | None  # None until measured


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
    -finished, status. Unknown values of status and order are ignored. Page it with Django's Paginator."""
    raise NotImplementedError


def job_for_page(user: User, job_id: str) -> Job:
    """The job with folder and output_folder loaded; Http404 if it is not the user's."""
    raise NotImplementedError


def progress(job: Job) -> Progress:
    raise NotImplementedError


def timeline(job: Job, segments: int = 500) -> Timeline:
    """Which node did what when, in at most `segments` segments."""
    raise NotImplementedError


def results_page(
    job: Job, filters: Filters | None = None, after: int | None = None, limit: int = 60
) -> ResultsPage:
    """Documents by position, with their photos before and after."""
    raise NotImplementedError


def result_counts(job: Job) -> Counts:
    raise NotImplementedError


def failed_of(job: Job, limit: int = 100) -> list[ResultItem]:
    """The photos that failed; `document["error"]` is {code, message}."""
    raise NotImplementedError
