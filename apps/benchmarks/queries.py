"""What pages and the API read about benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from apps.benchmarks.config import Config
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from apps.benchmarks.services.leases import ACTIVE
from apps.cluster.models import Node
from loadbalancer.workload import NodeSpec
from marketplace.ids import is_id

KEPT_RECORDS = 2_000  # images up to which each one's placement is kept


def runs(*, q: str = "", status: str = "", kind: str = "") -> QuerySet[BenchmarkRun]:
    """The newest first, each with who started it."""
    rows = BenchmarkRun.objects.select_related("owner").order_by("-created", "-id")
    for word in q.replace("\0", " ").split():
        rows = rows.filter(Q(title__icontains=word) | Q(pk=word.lower()))
    if status in BenchmarkRun.Status.values:
        rows = rows.filter(status=status)
    if kind in BenchmarkRun.Kind.values:
        rows = rows.filter(kind=kind)
    return rows


def next_run() -> BenchmarkRun | None:
    """The run that has the turn: the running one, or else the one that waits longest."""
    active = BenchmarkRun.objects.filter(status__in=ACTIVE).order_by("created", "id")
    return active.filter(status=BenchmarkRun.Status.RUNNING).first() or active.first()


def cells_of(run: BenchmarkRun) -> list[BenchmarkCell]:
    """Without the single images."""
    return list(run.cells.defer("records").order_by("position"))


def runs_with_cells(ids: Sequence[str]) -> list[BenchmarkRun]:
    """Those there are, in this order, each with `measured`: its cells. Two queries."""
    cells = BenchmarkCell.objects.defer("records").order_by("position")
    found = BenchmarkRun.objects.filter(pk__in=[one for one in ids if is_id(one)]).select_related("owner")
    by_id = {run.pk: run for run in found.prefetch_related(Prefetch("cells", cells, to_attr="measured"))}
    return [by_id[one] for one in ids if one in by_id]


def speeds_here() -> tuple[str, int] | None:
    """This installation's nodes as one writes them, `1.4:1`, and the slots most of them have; None without
    nodes, or with too many to write down."""
    rows = list(
        Node.objects.filter(state=Node.State.READY).order_by("name").values_list("speed", "slots")[:31]
    )
    if not 0 < len(rows) <= 30:
        return None
    slowest = min(max(speed, 0.1) for speed, _ in rows)
    speeds = [f"{max(speed, 0.1) / slowest:.1f}".removesuffix(".0") for speed, _ in rows]
    return ":".join(speeds), min(16, max(1, mode(slots for _, slots in rows)))


def nodes_of(run: BenchmarkRun) -> tuple[NodeSpec, ...]:
    if not run.nodes:
        return Config.from_json(run.config).specs()
    return tuple(NodeSpec(**_without_outages(one)) for one in run.nodes)


def _without_outages(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "outages"}
