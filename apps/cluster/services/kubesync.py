"""Node rows follow the cluster's Node objects. What staff decided (cordoned, weight) is left alone: what the
cluster decided stands beside it, in `closed`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from apps.cluster.kube.nodes import NodeFacts
from apps.cluster.models import Node
from apps.cluster.services import samples

log = logging.getLogger(__name__)

_REWRITE_SECONDS = 1.0  # how old `last_seen` may get while nothing else changes
_FROM_CLUSTER = ["engine", "state", "slots", "speed", "cores", "started", "last_seen", "closed"]
_LONGEST = 63  # of a node's name, in every table that has one


class KubeSync:
    """Remembers only what it wrote last, so as to write nothing when nothing has changed."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._written: list[NodeFacts] = []
        self._when = float("-inf")
        self._told: set[str] = set()

    def run(self, found: Sequence[NodeFacts], now: float) -> None:
        """`found`: the nodes there are now, as the API server has just said."""
        nodes = [node for node in found if self._has_usable_name(node)]
        if nodes == self._written and 0 <= now - self._when < _REWRITE_SECONDS:
            return
        self._write(nodes, now)
        self._written, self._when = nodes, now
        samples.take(now)

    def _write(self, nodes: Sequence[NodeFacts], now: float) -> None:
        ready = [node for node in nodes if node.ready]
        names = {node.name for node in ready}
        known = dict(Node.objects.values_list("name", "state"))
        lost = [name for name, state in known.items() if state == Node.State.READY and name not in names]
        if lost:  # among them nodes of another engine, from before it was changed
            Node.objects.filter(name__in=lost).update(state=Node.State.LOST)
            for name in lost:
                log.warning("node %s is lost: %s", name, _why(name, nodes))
        for name in sorted(names):
            if known.get(name) != Node.State.READY:
                log.info("node %s is ready", name)
        if ready:
            Node.objects.bulk_create(
                [self._row(node, now) for node in ready],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=_FROM_CLUSTER,
            )

    def _row(self, node: NodeFacts, now: float) -> Node:
        return Node(
            name=node.name,
            engine=self._engine,
            state=Node.State.READY,
            slots=node.slots,
            speed=node.speed,
            cores=node.cores,
            closed=node.closed,
            started=datetime.fromtimestamp(node.started, UTC),
            last_seen=datetime.fromtimestamp(now, UTC),
        )

    def _has_usable_name(self, node: NodeFacts) -> bool:
        if len(node.name) <= _LONGEST:
            return True
        if node.name not in self._told:
            self._told.add(node.name)
            log.warning("node %s is not used: its name has more than %d characters", node.name, _LONGEST)
        return False


def _why(name: str, nodes: Iterable[NodeFacts]) -> str:
    there = any(node.name == name for node in nodes)
    return "the cluster says that it is not ready" if there else "it is not in the cluster"
