"""Workers of jobs: what became of them, and where new ones go."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

import jobfolder
from apps.cluster.engines import Engine, Observation, PlacementSpec
from apps.cluster.services import balancing
from apps.cluster.services.balancing import Choices
from apps.processing import folders
from apps.processing.models import Job, Placement
from apps.processing.services import states
from loadbalancer.policy import NodeView

log = logging.getLogger(__name__)

State = Placement.State
LIVE = (State.PLACED, State.RUNNING)
CANNOT_RUN = "Could not run:"
_AVOID = timedelta(seconds=30)  # a node that lost a worker of the job gets no other while there are others


def settle(job: Job, placements: Iterable[Placement], engine: Engine, now: datetime) -> list[Placement]:
    """Bring the placements up to what the engine sees; give back what the dead had claimed. Those alive."""
    seen = engine.observe(job.id)
    alive = []
    for placement in placements:
        one = seen.get(placement.worker)
        state, reason = _judge(placement, one)
        if one and one.node and one.node != placement.node:
            _move(placement, one.node)
        if state != placement.state:
            _change(job, placement, state, reason, now)
        elif reason != placement.reason:
            _explain(placement, reason)
        if state in LIVE:
            alive.append(placement)
    working = {placement.worker for placement in alive}
    working |= {worker for worker, one in seen.items() if one.state in {"waiting", "running"}}
    folder = folders.path_of(job.id)
    for worker in {claim.worker for claim in jobfolder.claims(folder)} - working:
        jobfolder.release(folder, worker, seen[worker].strike if worker in seen else "worker_died")
    return alive


def _judge(placement: Placement, seen: Observation | None) -> tuple[str, str]:
    """The placement's state by what the engine sees, and why."""
    if seen is None:
        return State.LOST, "Nothing is known of it."
    if seen.state == "exited":
        broken = seen.heartbeat is not None and seen.heartbeat.reason.startswith("error:")
        return State.EXITED, f"{CANNOT_RUN} {seen.reason}" if broken else seen.reason
    if seen.state == "lost":
        return State.LOST, seen.reason
    if seen.state == "running":
        return State.RUNNING, ""
    return placement.state, seen.reason[:200] if seen.stuck else ""


def _move(placement: Placement, node: str) -> None:
    """Where a worker is that the engine has put somewhere by itself."""
    placement.node = node
    placement.save(update_fields=["node"])


def _explain(placement: Placement, reason: str) -> None:
    """Why it still waits."""
    placement.reason = reason
    placement.save(update_fields=["reason"])


def _change(job: Job, placement: Placement, state: str, reason: str, now: datetime) -> None:
    placement.state, placement.reason = state, reason[:200]
    if state == State.RUNNING:
        placement.started = now
    else:
        placement.finished = now
    placement.save(update_fields=["state", "reason", "started", "finished"])
    if state == State.LOST:
        log.warning("job %s lost its worker on %s: %s", job.id, placement.node, reason)
        data = {"node": placement.node, "worker": placement.worker}
        # Should it come back, it must not work beside the one that replaces it.
        jobfolder.request_leave(folders.path_of(job.id), placement.worker)
        states.note(job, "worker_lost", placement.worker, reason=reason, data=data)


def free_slots(views: Iterable[NodeView]) -> int:
    return sum(max(0, view.slots - view.active) for view in views)


def with_unplaced(views: Sequence[NodeView], alive: Iterable[Placement]) -> list[NodeView]:
    """The views with each worker that the engine has not put anywhere yet counted on the emptiest node: it
    will take a slot somewhere."""
    counted = list(views)
    for _ in [placement for placement in alive if not placement.node]:
        free = [index for index, view in enumerate(counted) if view.active < view.slots]
        if free:
            index = min(free, key=lambda one: counted[one].active / counted[one].slots)
            counted[index] = replace(counted[index], active=counted[index].active + 1)
    return counted


def place(job: Job, choices: Choices, engine: Engine, now: datetime) -> None:
    """One more worker for the job, on a node that the policy picks among those with a free slot; it is then
    taken. Where the engine chooses, that node only stands for the slot that will be. Raises what the engine
    raises; then nothing was placed."""
    lost = Placement.objects.filter(job=job, state=State.LOST, finished__gt=now - _AVOID)
    avoided = set(lost.values_list("node", flat=True))
    node = choices.choose(job.policy, avoided)
    name = "" if balancing.is_left_to_the_engine(job.policy) else node.name
    worker = f"{job.id}-{job.attempt}-{Placement.objects.filter(job=job).count() + 1}"
    try:
        with transaction.atomic():
            placement = Placement.objects.create(job=job, worker=worker, node=name, created=now)
    except IntegrityError:
        return  # another controller was first
    try:
        engine.place(PlacementSpec(job_id=job.id, worker=worker, node=name))
    except Exception:
        placement.delete()
        raise
    states.note(job, "worker_placed", worker, data={"node": name, "worker": worker})
    choices.take(node.name)
