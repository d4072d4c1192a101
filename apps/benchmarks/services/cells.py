"""Going on with a run, cell by cell.

A task may be killed at any line and may run twice at once. The run's lease makes one act at a time; should it
be lost, every change is refused. What a killed task leaves is a cell that is still pending: the next one
begins it anew, and gives up on a cell that was begun too often.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.benchmarks import queries, results
from apps.benchmarks.config import DIES, Config, dies
from apps.benchmarks.engines import ENGINES, Beat, EngineBusy, EngineError
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from apps.benchmarks.services.leases import ASK_AGAIN, SECONDS, Lease, Lost, until
from loadbalancer.records import Outcome
from loadbalancer.report.measures import lower_bound, measure
from loadbalancer.workload import NodeSpec, Task, Trace

log = logging.getLogger(__name__)

BUDGET = 10.0  # seconds after which a task leaves the rest to the next one
MAX_ATTEMPTS = 3

S = BenchmarkRun.Status
C = BenchmarkCell.Status
Scenario = BenchmarkCell.Scenario
TOO_SLOW = "It took longer than a measurement may. Take fewer images, or smaller ones."
CUT_OFF = "The process that measured it was killed several times. It may need more memory than there is."
BROKEN = "It ended with an error that is not expected; the server's log has it."


def advance(run_id: str, budget: float = BUDGET) -> bool:
    """Do cells for about `budget` seconds, at least one. True if there is more to do. Nothing, if another
    task is at it, or another run."""
    lease = Lease(run_id)
    if not lease.take():
        return False
    try:
        if not _begin(lease):
            lease.give_back()
            return False
        end = time.monotonic() + budget
        while _step(lease):
            if time.monotonic() >= end:
                lease.give_back()
                return True
        _finish(lease)
    except EngineBusy as error:
        _wait(lease, str(error))
    except Lost:
        log.info("benchmark %s is in other hands, or cancelled", run_id)
    return False


def _wait(lease: Lease, reason: str) -> None:
    """Nobody is to try again for a while; then the controller's chore asks."""
    try:
        lease.give_back(ASK_AGAIN, reason=reason)
    except Lost:
        log.info("benchmark %s is in other hands, or cancelled", lease.run_id)


def _begin(lease: Lease) -> bool:
    """False while another run has the turn."""
    if BenchmarkRun.objects.filter(pk=lease.run_id, status=S.RUNNING).exists():
        return True
    try:
        with transaction.atomic():
            lease.update(status=S.RUNNING, started=timezone.now())
    except IntegrityError:
        return False
    return True


def _step(lease: Lease) -> bool:
    """One cell. False when none is left, or one has failed: the rest would fail as well. Raises what `_tried`
    raises."""
    run = BenchmarkRun.objects.get(pk=lease.run_id)
    if run.cells.filter(status=C.FAILED).exists():
        return False
    cell = run.cells.filter(status=C.PENDING).order_by("position").first()
    if cell is None:
        return False
    lease.update(leased_until=until(SECONDS))
    run.cells.filter(pk=cell.pk).update(attempts=F("attempts") + 1)
    began = time.monotonic()
    try:
        changes = _tried(run, cell, lease.beat)
    except EngineBusy:
        run.cells.filter(pk=cell.pk).update(attempts=cell.attempts)  # this one did not count
        raise
    with transaction.atomic():
        lease.update(done=F("done") + 1, leased_until=until(SECONDS), reason="")
        rows = run.cells.filter(pk=cell.pk, status=C.PENDING)
        rows.update(seconds=time.monotonic() - began, finished=timezone.now(), **changes)
    return True


def _tried(run: BenchmarkRun, cell: BenchmarkCell, beat: Beat) -> dict[str, object]:
    """What the cell's row is to say. Raises Lost and EngineBusy."""
    if cell.attempts >= MAX_ATTEMPTS:
        return {"status": C.FAILED, "reason": CUT_OFF}
    try:
        outcome, trace = run_cell(run, cell, beat)
        kept = results.pack(outcome) if len(trace) <= queries.KEPT_RECORDS else None
        metrics = measure(outcome, results.trace_of(outcome)).as_dict()
    except (Lost, EngineBusy):
        raise
    except EngineError as error:
        return {"status": C.FAILED, "reason": str(error)[:500]}
    except SoftTimeLimitExceeded:
        return {"status": C.FAILED, "reason": TOO_SLOW}
    except Exception:
        log.exception("benchmark %s failed at %s", run.pk, cell)
        return {"status": C.FAILED, "reason": BROKEN}
    return {"status": C.SUCCEEDED, "metrics": metrics, "records": kept}


def run_cell(run: BenchmarkRun, cell: BenchmarkCell, beat: Beat) -> tuple[Outcome, Trace]:
    """The cell's trace on its nodes. Raises EngineError, and what `beat` raises. Stores nothing."""
    config = Config.from_json(run.config)
    everyone = queries.nodes_of(run)
    trace = config.trace(cell.seed, everyone)
    outcome = ENGINES[run.kind].run(
        trace,
        _nodes(cell.scenario, everyone, config, trace),
        cell.policy,
        seed=cell.seed,
        chunk_seconds=config.chunk,
        app=config.app,
        beat=beat,
    )
    if not outcome.records:
        raise EngineError("No image was done: no node was left to do it.")
    return outcome, _as_done(trace, outcome)


def _as_done(trace: Trace, outcome: Outcome) -> Trace:
    """The trace with the times and the work that its images really had: real photos have their own."""
    done = {one.task: Task(one.task, one.job, one.arrival, one.work) for one in outcome.records}
    return tuple(done.get(task.id, task) for task in trace)


def _nodes(scenario: str, nodes: tuple[NodeSpec, ...], config: Config, trace: Trace) -> tuple[NodeSpec, ...]:
    if scenario == Scenario.FASTEST:
        return (replace(max(nodes, key=lambda node: node.capacity)),)
    if scenario == Scenario.SLOWEST:
        return (replace(min(nodes, key=lambda node: node.capacity)),)
    return dies(nodes, lower_bound(trace, nodes)) if config.fault == DIES else nodes


def _finish(lease: Lease) -> None:
    run = BenchmarkRun.objects.get(pk=lease.run_id)
    failed = run.cells.filter(status=C.FAILED).order_by("position").first()
    status, reason = S.SUCCEEDED, ""
    if failed:
        what = failed.policy if failed.scenario == Scenario.ALL else failed.get_scenario_display()
        status, reason = S.FAILED, f"{what}, seed {failed.seed}: {failed.reason}"[:500]
    summary = results.summary(run)
    lease.update(
        status=status,
        reason=reason,
        summary=summary,
        finished=timezone.now(),
        leased_by="",
        leased_until=None,
    )
