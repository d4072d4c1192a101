"""What policies, pages and the API read about nodes. The number of queries never depends on the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.accounts.models import User
from apps.cluster.models import LentSlot, Node, NodeSample
from apps.processing.models import Placement
from loadbalancer.policy import NodeView
from marketplace.prepared import Prepared

_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)
HISTORY = timedelta(minutes=15)
_LATE = 3.0  # seconds that a controller's tick may take beyond NODE_TIMEOUT


def nodes() -> QuerySet[Node]:
    """All nodes by name, each with `active`: its live placements, and the slots it has lent."""
    busy = _counted(Placement.objects.filter(node=OuterRef("name"), state__in=_LIVE))
    lent = _counted(LentSlot.objects.current().filter(node=OuterRef("name")))
    return Node.objects.annotate(active=busy + lent).order_by("name")


def _counted(rows: QuerySet[Any]) -> Coalesce:
    """How many of them there are for the node of the outer query."""
    count = rows.order_by().values("node").annotate(count=Count("*")).values("count")
    return Coalesce(Subquery(count), Value(0))


def node_views() -> list[NodeView]:
    """The nodes that may get work: ready, not cordoned by staff, not closed by the cluster. One query."""
    return [NodeView(*row) for row in _VIEWS.rows()]


_VIEWS = Prepared(
    lambda: (
        nodes()
        .filter(state=Node.State.READY, cordoned=False, closed="")
        .values_list("name", "slots", "active", "weight", "speed")
    )
)


@dataclass(frozen=True)
class Working:
    """A worker on a node, as far as the viewer may know: whose photos they are is the owner's matter."""

    worker: str
    app_title: str
    done: int
    since: datetime
    job_id: str  # "" for another's job
    folder_name: str  # "" for another's job
    is_benchmark: bool = False


@dataclass(frozen=True)
class Sample:
    time: float  # seconds since 1970
    active: int
    slots: int
    images: int


@dataclass(frozen=True)
class Overview:
    """The cluster page. `silent_for`: seconds since the controller wrote down a node's heartbeat, if that
    is too long ago to believe the rows; None while all is well."""

    nodes: list[Node]  # with `active`
    workers: dict[str, list[Working]]  # by node
    history: dict[str, list[Sample]]  # by node, oldest first
    since: float  # where the history begins
    now: float
    silent_for: float | None


def overview(viewer: User, now: datetime | None = None) -> Overview:
    """Everything the page shows, in four queries."""
    now = now or timezone.now()
    rows = list(nodes())
    return Overview(
        nodes=rows,
        workers=_workers(viewer),
        history=history(now - HISTORY),
        since=(now - HISTORY).timestamp(),
        now=now.timestamp(),
        silent_for=_silence(rows, now),
    )


def history(since: datetime) -> dict[str, list[Sample]]:
    """Samples of every node from then on, oldest first."""
    found: dict[str, list[Sample]] = {}
    columns = ("node", "time", "active", "slots", "images")
    for node, time, *rest in (
        NodeSample.objects.filter(time__gte=since).order_by("time").values_list(*columns)
    ):
        found.setdefault(node, []).append(Sample(time.timestamp(), *rest))
    return found


def _workers(viewer: User) -> dict[str, list[Working]]:
    found: dict[str, list[Working]] = {}
    for one in Placement.objects.filter(state__in=_LIVE).select_related("job").order_by("created", "id"):
        mine = one.job.owner_id == viewer.id
        working = Working(
            worker=one.worker,
            app_title=one.job.app_title,
            done=one.done,
            since=one.started or one.created,
            job_id=one.job_id if mine else "",
            folder_name=one.job.folder_name if mine else "",
        )
        found.setdefault(one.node, []).append(working)
    for lent in LentSlot.objects.current().exclude(placed=None).order_by("id"):
        working = Working(lent.worker, "Benchmark", 0, lent.created, "", "", is_benchmark=True)
        found.setdefault(lent.node, []).append(working)
    return found


def _silence(rows: Sequence[Node], now: datetime) -> float | None:
    """Nodes beat once a second, and a controller that sees no beats says so by marking them lost. So a ready
    node that has not been seen for long means that nobody looks."""
    seen = [row.last_seen for row in rows if row.state == Node.State.READY and row.last_seen]
    age = (now - max(seen)).total_seconds() if seen else 0.0
    return age if age > settings.NODE_TIMEOUT + _LATE else None
