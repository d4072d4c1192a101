"""One outcome in numbers, and the least time that any policy could need."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadbalancer.records import Outcome
from loadbalancer.report.statistics import jain, percentile
from loadbalancer.workload import NodeSpec, Trace


@dataclass(frozen=True)
class Measures:
    """Seconds, unless said otherwise."""

    images: int
    makespan: float  # from the first arrival to the last end
    lower_bound: float
    over_bound: float  # makespan ÷ lower bound
    waiting_mean: float
    waiting_p50: float
    waiting_p95: float
    waiting_p99: float
    sojourn_mean: float
    sojourn_p50: float
    sojourn_p95: float
    sojourn_p99: float
    utilisation: Mapping[str, float]  # by node: busy part of its slots' time, 0 to 1
    jain: float  # of the utilisations
    load_max_to_mean: float  # of the utilisations
    wasted: float  # slots' seconds that died with a node
    unfinished: int
    decision_us: float | None  # mean cost of a decision, µs; None where it was not measured
    repeated: int = 0  # results that came twice

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"utilisation": dict(self.utilisation)}


NUMBERS = tuple(
    name
    for name in Measures.__dataclass_fields__
    if name not in {"utilisation", "images", "unfinished", "repeated"}
)
"""The measures that are averaged over seeds."""


def measure(outcome: Outcome, trace: Trace) -> Measures:
    """Raises ValueError for an outcome in which nothing was done."""
    records = outcome.records
    if not records:
        raise ValueError("no image was done, so there is nothing to measure")
    began = min(task.arrival for task in trace)
    makespan = max(record.end for record in records) - began
    bound = lower_bound(trace, outcome.nodes)
    waiting = [record.waiting for record in records]
    sojourn = [record.sojourn for record in records]
    used = {
        node.name: outcome.busy[node.name] / (node.slots * makespan) if makespan else 0.0
        for node in outcome.nodes
    }
    mean_use = statistics.fmean(used.values())
    seconds = outcome.decision_seconds
    return Measures(
        images=len(records),
        makespan=makespan,
        lower_bound=bound,
        over_bound=makespan / bound,
        waiting_mean=statistics.fmean(waiting),
        waiting_p50=percentile(waiting, 0.5),
        waiting_p95=percentile(waiting, 0.95),
        waiting_p99=percentile(waiting, 0.99),
        sojourn_mean=statistics.fmean(sojourn),
        sojourn_p50=percentile(sojourn, 0.5),
        sojourn_p95=percentile(sojourn, 0.95),
        sojourn_p99=percentile(sojourn, 0.99),
        utilisation=used,
        jain=jain(list(used.values())),
        load_max_to_mean=max(used.values()) / mean_use if mean_use else 1.0,
        wasted=sum(outcome.wasted.values()),
        unfinished=len(outcome.unfinished),
        decision_us=None if seconds is None else 1e6 * seconds / max(1, outcome.decisions),
        repeated=outcome.repeated,
    )


def lower_bound(trace: Trace, nodes: Sequence[NodeSpec]) -> float:
    """Seconds from the first arrival that no policy can do without.

    Whatever comes from some moment on takes its work ÷ the total speed, and an image takes its work ÷ the
    fastest speed. For a folder that is the larger of total work ÷ total speed and longest image ÷ fastest
    node. Loading, failures and queues are left out.
    """
    capacity = sum(node.capacity for node in nodes)
    fastest = max(node.speed for node in nodes)
    began = min(task.arrival for task in trace)
    bound = later = 0.0
    for task in sorted(trace, key=lambda task: task.arrival, reverse=True):
        later += task.work
        since = task.arrival - began
        bound = max(bound, since + later / capacity, since + task.work / fastest)
    return bound


def saved(seconds: float, one_node: float) -> float:
    """Percent less time than one node took: 100 · (1 − seconds / one_node). Negative when it took longer."""
    return 100 * (1 - seconds / one_node)
