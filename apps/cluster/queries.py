"""What policies, pages and the API read about nodes. The number of queries never depends on the nodes."""

from __future__ import annotations

from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from apps.cluster.models import Node
from apps.processing.models import Placement
from loadbalancer.policy import NodeView

_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)


def nodes() -> QuerySet[Node]:
    """All nodes by name, each with `active`: its live placements."""
    busy = (
        Placement.objects.filter(node=OuterRef("name"), state__in=_LIVE)
        .order_by()
        .values("node")
        .annotate(count=Count("*"))
        .values("count")
    )
    return Node.objects.annotate(active=Coalesce(Subquery(busy), Value(0))).order_by("name")


def node_views() -> list[NodeView]:
    """The nodes that may get work: ready and not cordoned. One query."""
    rows = nodes().filter(state=Node.State.READY, cordoned=False)
    columns = ("name", "slots", "active", "weight", "speed")
    return [NodeView(*row) for row in rows.values_list(*columns)]
