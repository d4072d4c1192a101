"""What the cells of a run say together: the rows of its table, the headline, the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.benchmarks.config import Config
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from loadbalancer.records import Outcome
from loadbalancer.report.comparison import Row, Run, rows
from loadbalancer.report.measures import Measures
from loadbalancer.workload import Task, Trace

COLUMNS = ("task", "job", "node", "arrival", "placed", "start", "end", "work", "attempts")
_TIMES = {"arrival", "placed", "start", "end", "work"}
Scenario = BenchmarkCell.Scenario


def runs_of(run: BenchmarkRun, cells: Sequence[BenchmarkCell]) -> list[Run]:
    """Each finished cell under a policy, with the single nodes of its seed."""
    done = [cell for cell in cells if cell.status == BenchmarkCell.Status.SUCCEEDED]
    alone = {
        (cell.scenario, cell.seed): cell.metrics["makespan"] for cell in done if cell.scenario != Scenario.ALL
    }
    case = Config.from_json(run.config).case
    return [
        Run(
            case,
            cell.policy,
            cell.seed,
            Measures(**cell.metrics),
            alone.get((Scenario.FASTEST, cell.seed)),
            alone.get((Scenario.SLOWEST, cell.seed)),
        )
        for cell in done
        if cell.scenario == Scenario.ALL
    ]


def table(run: BenchmarkRun, cells: Sequence[BenchmarkCell]) -> list[Row]:
    """A row a policy, the least makespan first."""
    found = rows(runs_of(run, cells))
    return sorted(found, key=lambda row: (row.unfinished, row.estimates["makespan"].mean))


def summary(run: BenchmarkRun) -> dict[str, Any]:
    """The headline: which policy did it, how long it took, and how near the bound that is."""
    found = table(run, list(run.cells.defer("records")))
    if not found:
        return {}
    best = found[0]
    said: dict[str, Any] = {"best": best.policy, "seeds": best.seeds}
    for name in ("makespan", "over_bound", "lower_bound", "saved_fastest", "saved_slowest", "sojourn_p99"):
        if one := best.estimates.get(name):
            said[name] = {"mean": one.mean, "half": one.half}
    return said


def trace_of(outcome: Outcome) -> Trace:
    """What was really worked on: real nodes get photos whose work is near to what was asked for, and a trace
    that is too much for them is made faster as a whole."""
    return tuple(Task(one.task, one.job, one.arrival, one.work) for one in outcome.records)


def pack(outcome: Outcome) -> list[list[Any]]:
    """Each image in the order of COLUMNS, times in milliseconds' precision."""
    return [
        [round(getattr(record, name), 4) if name in _TIMES else getattr(record, name) for name in COLUMNS]
        for record in outcome.records
    ]
