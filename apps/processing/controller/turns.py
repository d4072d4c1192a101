"""Filling free slots: whose turn it is (schedule.py) applied to the jobs, nodes and workers there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db.models import Max

import jobfolder
from apps.cluster.engines import Engine
from apps.cluster.queries import node_views
from apps.cluster.services.balancing import Choices
from apps.processing import folders
from apps.processing.controller import placing, schedule
from apps.processing.controller.schedule import Held, Want
from apps.processing.models import Job, Placement
from apps.processing.services import states
from loadbalancer.policy import NodeView

log = logging.getLogger(__name__)

Guard = Callable[[Job, Callable[[], None]], None]


class Turns:
    """One round of filling slots. `guard` runs a step of one job and keeps its errors from the others."""

    def __init__(
        self, jobs: Sequence[Job], alive: Sequence[Placement], engine: Engine, now: datetime
    ) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._alive = alive
        self._engine = engine
        self._now = now
        self._views: list[NodeView] = []
        self._choices: Choices | None = None

    def fill(self, guard: Guard) -> None:
        """Give free slots to the jobs whose turn it is; where none is free, ask for one back."""
        if not self._could_want():
            return
        wants = self._wants()
        if not wants:
            return
        self._views = placing.with_unplaced(node_views(), self._alive)
        held = self._held()
        free = placing.free_slots(self._views)
        granted = schedule.grant(wants, held, free)
        self._choices = Choices(self._views, "jobs", len(granted))
        for job_id in granted:
            job = self._jobs[job_id]
            guard(job, lambda job=job: self._serve(job))
        if not free and self._views:
            for worker in schedule.reclaim(wants, held, self._now.timestamp()):
                self._ask_back(worker)

    def _could_want(self) -> list[Job]:
        """Jobs for which a look at the disk is worth it: none that is stopping, none at its limit."""
        workers: dict[str, int] = {}
        for placement in self._alive:
            workers[placement.job_id] = workers.get(placement.job_id, 0) + 1
        return [
            job
            for job in self._jobs.values()
            if job.status in states.ACTIVE
            and not job.cancel_requested_at
            and (not job.parallelism or workers.get(job.id, 0) < job.parallelism)
        ]

    def _wants(self) -> list[Want]:
        running = sum(job.status == Job.Status.RUNNING for job in self._jobs.values())
        owners = {job.owner_id for job in self._jobs.values() if job.status == Job.Status.RUNNING}
        wants = []
        for job in self._could_want():
            if job.status == Job.Status.QUEUED:
                # Everybody may have one job running; beyond MAX_RUNNING_JOBS nobody has a second.
                if running >= settings.MAX_RUNNING_JOBS and job.owner_id in owners:
                    continue
                running += 1
                owners.add(job.owner_id)
            more = self._more(job)
            if more:
                wants.append(Want(job.id, job.owner_id, job.queued_at.timestamp(), more))
        return self._with_last_turn(wants) if len(wants) > 1 else wants

    def _with_last_turn(self, wants: list[Want]) -> list[Want]:
        """When each was served last: of one alone nobody asks."""
        placements = Placement.objects.filter(job__in=[want.job for want in wants]).values_list("job")
        served = dict(placements.annotate(last=Max("created")).order_by())
        return [
            replace(want, served=served[want.job].timestamp() if want.job in served else 0.0)
            for want in wants
        ]

    def _more(self, job: Job) -> int:
        """How many more workers would find a chunk to work on."""
        if job.status == Job.Status.QUEUED:
            useful = job.total - job.done
        else:
            useful = jobfolder.pending_count(folders.path_of(job.id))
            # Workers that were placed just now have not claimed theirs yet.
            useful -= sum(one.job_id == job.id and one.state == placing.State.PLACED for one in self._alive)
        if job.parallelism:
            useful = min(useful, job.parallelism - sum(one.job_id == job.id for one in self._alive))
        return max(0, useful)

    def _held(self) -> list[Held]:
        return [
            Held(
                worker=one.worker,
                job=one.job_id,
                owner=one.job.owner_id,
                since=one.created.timestamp(),
                leaving=one.stop_requested_at is not None,
            )
            for one in self._alive
        ]

    def _serve(self, job: Job) -> None:
        if job.status == Job.Status.QUEUED:
            folders.prepare(job, lanes=sum(view.slots for view in self._views))
            if not states.move(job, Job.Status.RUNNING, started=self._now):
                return  # cancelled at this moment
        elif not jobfolder.pending_count(folders.path_of(job.id)):
            return
        if self._choices is not None:
            placing.place(job, self._choices, self._engine, self._now)

    def _ask_back(self, worker: str) -> None:
        placement = next(one for one in self._alive if one.worker == worker)
        # Asked first, noted second: a worker that counts as leaving was told so.
        jobfolder.request_leave(folders.path_of(placement.job_id), worker)
        Placement.objects.filter(id=placement.id, stop_requested_at=None).update(stop_requested_at=self._now)
