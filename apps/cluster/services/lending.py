"""Slots that are lent to workers of nobody's job.

Under an engine whose workers only the controller may start, somebody else asks for a worker by a row and
renews it (`ask`, `renew`, `give_back`), and the controller does the rest in its round (`tend`). Lent slots
are taken: no job's worker is placed on them. Who asked and died renews nothing, so its rows are over after
SECONDS, and its workers, their objects and their folder are removed. Times are the database's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now
from django.utils import timezone

from apps.cluster.engines.base import Engine, EngineError, PlacementSpec
from apps.cluster.kube.api import Unreachable
from apps.cluster.models import LentSlot

log = logging.getLogger(__name__)

SECONDS = 20.0  # that a row lasts without being renewed
UNSEEN = "The controller has not asked for it yet: is one running?"


def _until() -> ExpressionWrapper:
    return ExpressionWrapper(Now() + timedelta(seconds=SECONDS), output_field=DateTimeField())


# --- Who asks ---------------------------------------------------------------------------------------


def ask(spec: PlacementSpec, *, owner: str, processor: str, weights: str = "") -> None:
    """Have a worker started. Again with the same worker changes nothing."""
    wanted = {"job": spec.job_id, "node": spec.node, "owner": owner}
    work = {"processor": processor, "weights": weights, "until": _until()}
    LentSlot.objects.get_or_create(worker=spec.worker, defaults=wanted | work)


def renew(jobs: Iterable[str]) -> None:
    LentSlot.objects.current().filter(job__in=list(jobs)).update(until=_until())


def give_back(job: str) -> None:
    """Its slots are free from now on."""
    LentSlot.objects.filter(job=job).update(until=Now())


def reasons(jobs: Iterable[str]) -> dict[str, str]:
    """Why workers have not started, as far as that is known, by worker."""
    rows = LentSlot.objects.current().filter(job__in=list(jobs))
    found = {row.worker: row.reason or ("" if row.placed else UNSEEN) for row in rows}
    return {worker: reason for worker, reason in found.items() if reason}


# --- What the engine asks ---------------------------------------------------------------------------


def of_job(job: str) -> Sequence[LentSlot]:
    return list(LentSlot.objects.current().filter(job=job))


def of_worker(worker: str) -> LentSlot | None:
    return LentSlot.objects.current().filter(worker=worker).first()


def workers(known: Iterable[str]) -> set[str]:
    """Those of these workers that have a slot."""
    return set(LentSlot.objects.current().filter(worker__in=list(known)).values_list("worker", flat=True))


def jobs(known: Iterable[str]) -> set[str]:
    """Those of these folders that have workers."""
    return set(LentSlot.objects.current().filter(job__in=list(known)).values_list("job", flat=True))


# --- The controller ---------------------------------------------------------------------------------


def tend(engine: Engine) -> None:
    """Start what is asked for, say why something does not start, and remove what is over. One query while
    there is nothing. Raises EngineError; the rest is done the next time."""
    rows = list(LentSlot.objects.order_by("id"))
    if not rows:
        return
    current = list(LentSlot.objects.current().order_by("id"))
    for row in current:
        if row.placed is None:
            _place(engine, row)
    for job in sorted({row.job for row in current}):
        _look(engine, job, [row for row in current if row.job == job])
    for job in sorted({row.job for row in rows} - {row.job for row in current}):
        engine.cleanup(job)
        LentSlot.objects.filter(job=job, until__lte=Now()).delete()


def _place(engine: Engine, row: LentSlot) -> None:
    try:
        engine.place(PlacementSpec(row.job, row.worker, row.node))
    except Unreachable:
        raise
    except EngineError as error:
        log.warning("%s could not be started: %s", row.worker, error)
        _change(row, reason=(error.words or str(error))[:200])
        return
    row.placed = timezone.now()
    _change(row, placed=row.placed, reason="")


def _look(engine: Engine, job: str, rows: Sequence[LentSlot]) -> None:
    seen = engine.observe(job)
    for row in rows:
        one = seen.get(row.worker)
        if one is None or row.placed is None:
            continue
        reason = one.reason[:200] if one.stuck or one.state == "lost" else ""
        node = row.node or one.node
        if (reason, node) != (row.reason, row.node):
            _change(row, reason=reason, node=node)


def _change(row: LentSlot, **changes: object) -> None:
    LentSlot.objects.filter(id=row.id).update(**changes)
