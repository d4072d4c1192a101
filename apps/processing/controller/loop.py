"""The controller: compare what should be with what is, act, repeat.

It keeps nothing in memory that it could not do without: how far results were read, when the lease was
renewed, and how long to leave a job alone that just failed to be handled. A tick looks at everything that is
queued, running, or has workers left; when there is nothing it costs a handful of short queries.

    1  lease          another controller acts? then wait
    2  nodes          what their heartbeats say
    3  running jobs   each: stop if asked, settle workers, take in results, finish or repair
    4  free slots     to the jobs whose turn it is; told back from who has had enough
    5  chores         now and then: delete old job folders, purge the drive's trash

An error while one job is handled is logged, shown as the job's reason, and tried again after 1, 2, … 30 s.
One while a worker is placed holds up the job's next placement only: its workers are looked after all the
same.
"""

from __future__ import annotations

import errno
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event

import redis
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from apps.cluster.engines import Engine, EngineError, get_engine
from apps.processing.controller import care, placing
from apps.processing.controller.chores import Chores
from apps.processing.controller.ingest import Ingest
from apps.processing.controller.lease import Holder
from apps.processing.controller.turns import Turns
from apps.processing.models import Job, Placement
from apps.processing.services.states import ACTIVE
from apps.processing.services.wakeup import bell
from marketplace.api import ApiError
from marketplace.prepared import Prepared

log = logging.getLogger(__name__)

BUSY, IDLE = 0.2, 1.0  # seconds between ticks, with and without a running job
YOUTH = 3.0  # seconds for which a job that has started is watched
PEEK = 0.02  # seconds between looks whether results of a watched job are worth a tick
FEW = 64  # photos left, with which a job is watched again
_LONGEST_PAUSE = 30.0
_DELAYED = "Delayed, tried again soon:"
_LOOK, _PLACE = "look", "place"  # what may pause, each for itself
_FORGOTTEN = 5.0  # seconds after its end when a pause of placing is over although nothing was placed
_ACTIVE = Prepared(lambda: Job.objects.filter(status__in=sorted(ACTIVE)).order_by("queued_at", "id"))
_LIVE = Prepared(lambda: Placement.objects.filter(state__in=placing.LIVE))


@dataclass
class _Pause:
    failures: int = 0
    until: float = 0.0


class Controller:
    """`clock` counts seconds and never goes back; `now` is the time of day."""

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._engine = engine or get_engine()
        self._clock = clock
        self._now = now
        self._lease = Holder(clock=clock)
        self._ingests: dict[tuple[str, int], Ingest] = defaultdict(partial(Ingest, clock))
        self._watched: list[Job] = []  # young ones, and those about to end
        self._pauses: dict[tuple[str, str], _Pause] = defaultdict(_Pause)
        self._chores = Chores(self._engine, clock=clock, now=now)
        self._deaf = False  # Redis is away: nobody can wake this loop

    def run(self, stop: Event) -> None:
        """Until `stop` is set. The lease is given back at the end, so that another can act at once."""
        while not stop.is_set():
            try:
                pause = self.tick()
            except (InterfaceError, OperationalError):
                log.exception("the database did not answer; trying again")
                connection.close()
                pause = IDLE
            self._wait(stop, pause)
        self._lease.release()

    def tick(self) -> float:
        """One look at everything. How many seconds may pass until the next."""
        if not self._lease.hold():
            return IDLE
        now = self._now()
        self._engine.sync_nodes()
        jobs = _ACTIVE.models()
        alive = self._attend(jobs, now)
        self._place(jobs, alive, now)
        self._chores.run()
        self._forget(jobs)
        return self._pace(jobs, alive, now)

    def _attend(self, jobs: list[Job], now: datetime) -> list[Placement]:
        """Look after every job that runs or has workers left. The workers that are alive."""
        by_job = _live_placements(jobs)
        lanes = max(1, sum(map(len, by_job.values())))
        alive: list[Placement] = []
        for job in jobs:
            mine = by_job.pop(job.id, [])
            if job.status != Job.Status.RUNNING:
                by_job[job.id] = mine
                continue
            ingest = self._ingests[job.id, job.attempt]
            step = partial(care.attend, job, mine, self._engine, ingest, now, lanes)
            alive += self._guarded(job, mine, step)
        for mine in by_job.values():
            if mine:  # workers of a job that has ended, or of an attempt before the one that is queued
                job = mine[0].job
                alive += self._guarded(job, mine, partial(care.dismiss, job, mine, self._engine, now))
        return alive

    def _guarded(
        self,
        job: Job,
        placements: list[Placement],
        step: Callable[[], list[Placement]],
        kind: str = _LOOK,
    ) -> list[Placement]:
        """Run one job's step. If it fails, the others go on and this one pauses; its workers still count."""
        if self._is_paused(job, kind):
            return placements
        try:
            alive = step()
        except (InterfaceError, OperationalError):
            raise  # no database: nothing else will work either
        except Exception as error:
            self._pause(job, kind, error)
            return placements
        self._resume(job, kind)
        return alive

    def _is_paused(self, job: Job, kind: str) -> bool:
        pause = self._pauses.get((job.id, kind))
        return pause is not None and self._clock() < pause.until

    def _resume(self, job: Job, kind: str) -> None:
        """A step went well: nothing holds this job up any more, unless another step does."""
        ended = self._pauses.pop((job.id, kind), None)
        placing_pause = self._pauses.get((job.id, _PLACE))
        if placing_pause and self._clock() > placing_pause.until + _FORGOTTEN:
            ended = self._pauses.pop((job.id, _PLACE))
        if ended and not {(job.id, _LOOK), (job.id, _PLACE)} & self._pauses.keys():
            Job.objects.filter(id=job.id, reason__startswith=_DELAYED).update(reason="")

    def _pause(self, job: Job, kind: str, error: Exception) -> None:
        pause = self._pauses[job.id, kind]
        pause.failures += 1
        seconds = min(_LONGEST_PAUSE, 2.0 ** (pause.failures - 1))
        pause.until = self._clock() + seconds
        known = isinstance(error, EngineError | redis.RedisError)
        log.error(
            "job %s could not be handled; again in %g s: %s", job.id, seconds, error, exc_info=not known
        )
        reason = f"{_DELAYED} {_in_words(error)}"[:300]
        Job.objects.filter(id=job.id, status__in=ACTIVE).update(reason=reason)

    def _place(self, jobs: list[Job], alive: list[Placement], now: datetime) -> None:
        ready = [
            job for job in jobs if (job.id, _LOOK) not in self._pauses and not self._is_paused(job, _PLACE)
        ]

        def guard(job: Job, step: Callable[[], None]) -> None:
            def run() -> list[Placement]:
                step()
                return []

            self._guarded(job, [], run, _PLACE)

        Turns(ready, alive, self._engine, now).fill(guard)

    def _forget(self, jobs: list[Job]) -> None:
        """Drop what was remembered about jobs that have ended."""
        current = {(job.id, job.attempt) for job in jobs}
        for key in self._ingests.keys() - current:
            del self._ingests[key]
        known = {job.id for job in jobs}
        for key in [key for key in self._pauses if key[0] not in known]:
            del self._pauses[key]

    def _pace(self, jobs: list[Job], alive: list[Placement], now: datetime) -> float:
        running = [job for job in jobs if job.status == Job.Status.RUNNING]
        young = [job for job in running if job.started and (now - job.started).total_seconds() < YOUTH]
        self._watched = young + [job for job in running if job not in young and job.total - job.done <= FEW]
        return BUSY if running or alive else IDLE

    def _is_any_ripe(self) -> bool:
        return any(
            self._ingests[job.id, job.attempt].is_ripe(job)
            for job in self._watched
            if (job.id, _LOOK) not in self._pauses
        )

    def _wait(self, stop: Event, seconds: float) -> None:
        """Until somebody rings, results of a watched job are worth a tick, or the time is over; without
        Redis, only the last. A tick costs as much as some photos, a peek next to nothing."""
        try:
            if self._watched:
                self._peek(stop, self._clock() + seconds)
            else:
                bell().wait(seconds)
            self._deaf = False
        except redis.RedisError as error:
            if not self._deaf:  # once an outage, not once a tick
                log.warning("no wake-ups until Redis is back: %s", error)
            self._deaf = True
            stop.wait(seconds)

    def _peek(self, stop: Event, end: float) -> None:
        while not bell().has_rung() and not self._is_any_ripe() and self._clock() < end:
            if stop.wait(PEEK):
                break


def _live_placements(jobs: list[Job]) -> dict[str, list[Placement]]:
    """Those that are alive, by job, each with its job loaded."""
    known = {job.id: job for job in jobs}
    placements = _LIVE.models()
    if others := {one.job_id for one in placements} - known.keys():
        known |= Job.objects.in_bulk(others)
    by_job: dict[str, list[Placement]] = defaultdict(list)
    for placement in placements:
        if job := known.get(placement.job_id):  # none: deleted just now, and its placements with it
            placement.job = job
            by_job[job.id].append(placement)
    return by_job


def _in_words(error: Exception) -> str:
    """For the job's owner: what kind of trouble, without paths or internals."""
    if isinstance(error, ApiError):
        return error.message
    if isinstance(error, EngineError) and error.words:
        return error.words
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the server's disk is full."
    if isinstance(error, OSError | redis.RedisError | EngineError):
        return "a part of the server does not answer."
    return "an error in the server; it is in the log."
