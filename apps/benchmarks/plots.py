"""The figures of a run, by name. SVG text: pages hold it as it is, and it stands alone as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadbalancer.report.charts import Bar, Mark
from loadbalancer.report.comparison import ORIGINAL, Row
from loadbalancer.report.figures import Span, ranked, shares

NAMES = ("makespan", "saved", "sojourn", "waiting", "nodes")


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    note: str
    svg: str


def plots_of(rows: Sequence[Row]) -> list[Plot]:
    """Those that can be drawn of these rows; none without rows."""
    return [plot for plot in (_DRAWN[name](rows) for name in NAMES) if plot] if rows else []


def _makespan(rows: Sequence[Row]) -> Plot | None:
    bound = rows[0].estimates["lower_bound"].mean
    svg = ranked(
        "Time for everything",
        _bars(rows, "makespan"),
        "s",
        mark=Mark(bound, "no policy can be below"),
        best=rows[0].policy,
    )
    return Plot("makespan", "Time for everything", "From the first arrival to the last image’s end.", svg)


def _saved(rows: Sequence[Row]) -> Plot | None:
    bars = sorted(_bars(rows, "saved_slowest"), key=lambda bar: -bar.value)
    if not bars:
        return None
    spans = {
        policy: Span(low, high, f"the original: {low:.0f} to {high:.0f} %")
        for policy, (low, high) in ORIGINAL.items()
        if any(bar.label == policy for bar in bars)
    }
    note = "Than the slowest node alone." + (" Outlined: the original’s range." if spans else "")
    svg = ranked("Less time than one node", bars, "%", spans=spans, best=bars[0].label)
    return Plot("saved", "Less time than one node", note, svg)


def _sojourn(rows: Sequence[Row]) -> Plot | None:
    return _least(rows, "sojourn_p99", "sojourn", "99 of 100 images done within", "From arrival to end.")


def _waiting(rows: Sequence[Row]) -> Plot | None:
    return _least(
        rows, "waiting_mean", "waiting", "Mean wait for a slot", "From arrival to the node’s start."
    )


def _least(rows: Sequence[Row], measure: str, name: str, title: str, note: str) -> Plot | None:
    bars = sorted(_bars(rows, measure), key=lambda bar: bar.value)
    return Plot(name, title, note, ranked(title, bars, "s", best=bars[0].label)) if bars else None


def _nodes(rows: Sequence[Row]) -> Plot | None:
    title = "How busy each node was"
    note = "A bar a node, in its colour; from the first arrival to the last end."
    return Plot("nodes", title, note, shares(title, {row.policy: row.utilisation for row in rows}))


def _bars(rows: Sequence[Row], name: str) -> list[Bar]:
    found = [(row.policy, row.estimates[name]) for row in rows if name in row.estimates]
    return [Bar(policy, one.mean, one.half) for policy, one in found]


_DRAWN: dict[str, Callable[[Sequence[Row]], Plot | None]] = {
    "makespan": _makespan,
    "saved": _saved,
    "sojourn": _sojourn,
    "waiting": _waiting,
    "nodes": _nodes,
}
