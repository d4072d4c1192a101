"""What pages and the API read about benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from apps.benchmarks.config import Config
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from apps.benchmarks.services.leases import ACTIVE
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


def nodes_of(run: BenchmarkRun) -> tuple[NodeSpec, ...]:
    if not run.nodes:
        return Config.from_json(run.config).specs()
    return tuple(NodeSpec(**_without_outages(one)) for one in run.nodes)


def _without_outages(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "outages"}
