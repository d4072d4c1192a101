"""The history of the nodes' load: a row a node every five seconds, kept for a day."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from django.db.models import Q
from redis import RedisError

from apps.cluster.models import LentSlot, Node, NodeSample
from apps.processing.models import Placement

log = logging.getLogger(__name__)

EVERY = 5  # seconds
KEPT = timedelta(days=1)
_TURN = "cluster:sample"
_PRUNED = "cluster:pruned"
_DONE = "cluster:done"
_PRUNE_EVERY = 600
_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)


def take(now: float) -> bool:
    """Keep a sample of every node that is ready, if it is time for one; of several processes, one does.

    Without the cache there is no sample: history has a gap, and nothing else is harmed.
    """
    try:
        if not cache.add(_TURN, now, timeout=EVERY):
            return False
        before = cache.get(_DONE)
        time = datetime.fromtimestamp(now, UTC)
        _keep(time, before)
        if cache.add(_PRUNED, now, timeout=_PRUNE_EVERY):
            NodeSample.objects.filter(time__lt=time - KEPT).delete()
    except RedisError as error:
        log.debug("no sample of the nodes' load: %s", error)
        return False
    return True


def _keep(time: datetime, before: dict[str, int] | None) -> None:
    """`before`: photos done by each worker at the sample before; None when that is not known."""
    active: dict[str, int] = {}
    images: dict[str, int] = {}
    after: dict[str, int] = {}
    lately = time - timedelta(seconds=3 * EVERY)
    placements = Placement.objects.filter(Q(state__in=_LIVE) | Q(finished__gt=lately))
    for worker, node, state, done in placements.values_list("worker", "node", "state", "done"):
        active[node] = active.get(node, 0) + (state in _LIVE)
        after[worker] = done
        if before is not None:
            images[node] = images.get(node, 0) + max(0, done - before.get(worker, 0))
    for node in LentSlot.objects.current().values_list("node", flat=True):
        active[node] = active.get(node, 0) + 1
    NodeSample.objects.bulk_create(
        NodeSample(node=name, time=time, active=active.get(name, 0), slots=slots, images=images.get(name, 0))
        for name, slots in Node.objects.filter(state=Node.State.READY).values_list("name", "slots")
    )
    cache.set(_DONE, after, timeout=4 * EVERY)
