"""Results as pages say them: the headline in a sentence, the table in columns, the original beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.benchmarks.models import BenchmarkRun
from loadbalancer.report.comparison import ORIGINAL, Row
from loadbalancer.report.figures import half_of, signed
from loadbalancer.report.statistics import Estimate

SHOWN_NODES = 12
# (measure, head, group)
_COLUMNS = (
    ("makespan", "s", "Everything done"),
    ("over_bound", "÷ bound", "Everything done"),
    ("saved_fastest", "fastest", "% less than alone"),
    ("saved_slowest", "slowest", "% less than alone"),
    ("waiting_mean", "mean", "Waiting, s"),
    ("waiting_p50", "p50", "Waiting, s"),
    ("waiting_p95", "p95", "Waiting, s"),
    ("waiting_p99", "p99", "Waiting, s"),
    ("sojourn_mean", "mean", "Under way, s"),
    ("sojourn_p50", "p50", "Under way, s"),
    ("sojourn_p95", "p95", "Under way, s"),
    ("sojourn_p99", "p99", "Under way, s"),
    ("jain", "Jain", "Fairness"),
    ("load_max_to_mean", "max ÷ mean", "Fairness"),
    ("wasted", "s", "Lost"),
    ("decision_us", "µs", "A decision"),
)


@dataclass(frozen=True)
class Cell:
    mean: str
    half: str  # "" of a single value


@dataclass(frozen=True)
class Table:
    """`groups`: (head, number of columns); `lines`: policy, best or not, cells, nodes, not done."""

    groups: list[tuple[str, int]]
    heads: list[str]
    nodes: list[str]
    lines: list[tuple[str, bool, list[Cell], list[int], int]]
    unfinished: bool


def table_of(rows: Sequence[Row], nodes: int) -> Table | None:
    """None without rows. `nodes`: how many there are; beyond SHOWN_NODES they have no columns."""
    if not rows:
        return None
    columns = [one for one in _COLUMNS if any(one[0] in row.estimates for row in rows)]
    columns = [one for one in columns if one[0] != "wasted" or any(_mean(row, "wasted") for row in rows)]
    groups: list[tuple[str, int]] = []
    for _, _, group in columns:
        if groups and groups[-1][0] == group:
            groups[-1] = (group, groups[-1][1] + 1)
        else:
            groups.append((group, 1))
    named = list(rows[0].utilisation) if 0 < nodes <= SHOWN_NODES else []
    return Table(
        groups=groups,
        heads=[head for _, head, _ in columns],
        nodes=named,
        lines=[
            (
                row.policy,
                index == 0,
                [cell_of(row.estimates.get(name)) for name, _, _ in columns],
                [round(100 * row.utilisation[node]) for node in named],
                row.unfinished,
            )
            for index, row in enumerate(rows)
        ],
        unfinished=any(row.unfinished for row in rows),
    )


def headline(run: BenchmarkRun) -> dict[str, Any]:
    """{policy, makespan, over_bound, saved}: estimates in words; empty before there is one."""
    said: dict[str, Any] = {}
    for name in ("makespan", "over_bound", "saved_slowest", "saved_fastest", "sojourn_p99"):
        if one := run.summary.get(name):
            said[name] = cell_of(Estimate(one["mean"], one["half"]))
    return said | {"policy": run.summary["best"]} if said else {}


def beside_original(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The policies that the original measured: its range, and ours against either single node."""
    return [
        {
            "policy": row.policy,
            "low": f"{ORIGINAL[row.policy][0]:.0f}",
            "high": f"{ORIGINAL[row.policy][1]:.0f}",
            "slowest": cell_of(row.estimates.get("saved_slowest")),
            "fastest": cell_of(row.estimates.get("saved_fastest")),
        }
        for row in rows
        if row.policy in ORIGINAL and "saved_slowest" in row.estimates
    ]


def _mean(row: Row, name: str) -> float:
    return row.estimates[name].mean if name in row.estimates else 0.0


def cell_of(one: Estimate | None) -> Cell:
    """A dash for what was not measured."""
    if one is None:
        return Cell("–", "")
    half = "" if one.half is None or one.half < 1e-6 else half_of(one.mean, one.half)
    return Cell(signed(one.mean), half)
