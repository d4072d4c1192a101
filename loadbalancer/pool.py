"""The choices of a policy over nodes that change one at a time, without looking at all of them each time.

A policy compares all nodes for each choice: at 1,000 nodes, 50 to 150 µs in Python. Between two choices the
numbers of one or two nodes change. A pool keeps the nodes in buckets of equal cost and a heap of the costs,
so a choice or a change takes a few µs, and so does a node that comes or goes. It holds what the caller tells
it and decides nothing by itself: for the same nodes, turn and generator, `choose` is `policy.choose`
(tests/loadbalancer/test_pool.py).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

from loadbalancer.policy import NodeView, Policy
from loadbalancer.ranking import Ranked


class Pool:
    """Nodes by name, and a policy that chooses among them. Not for several threads at once."""

    def __init__(self, policy: Policy, nodes: Iterable[NodeView]) -> None:
        self._policy = policy
        self._ranked = policy if isinstance(policy, Ranked) else None
        ordered = sorted(nodes, key=lambda node: node.name)
        self._views = {node.name: node for node in ordered}
        if len(self._views) != len(ordered):
            raise ValueError("two nodes have the same name")
        # Of a policy that ranks: names in order for each cost. Of any other: all nodes in order.
        self._costs: dict[str, Any] = {}
        self._buckets: dict[Any, list[str]] = {}
        self._heap: list[Any] = []
        self._ordered: list[NodeView] = [] if self._ranked else ordered
        self._names: list[str] = [] if self._ranked else list(self._views)
        if self._ranked is not None:
            self._costs = dict(zip(self._views, self._ranked.costs(ordered), strict=True))
            for name, cost in self._costs.items():
                self._buckets.setdefault(cost, []).append(name)
            self._heap = list(self._buckets)
            heapify(self._heap)

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, name: str) -> NodeView:
        """Raises KeyError."""
        return self._views[name]

    def __contains__(self, name: str) -> bool:
        return name in self._views

    def choose(self, turn: int, rng: Random) -> NodeView:
        """As the policy chooses. Raises IndexError without nodes."""
        if not self._views:
            raise IndexError("the pool has no node")
        if self._ranked is None:
            return self._policy.choose(self._ordered, turn, rng)
        while self._heap[0] not in self._buckets:
            heappop(self._heap)
        least = self._heap[0]
        equals = self._buckets[least]
        return self._views[equals[self._ranked.pick(least, len(equals), turn, rng)]]

    def update(self, node: NodeView) -> None:
        """Another snapshot of a node that is there. Raises KeyError."""
        name = node.name
        if name not in self._views:
            raise KeyError(name)
        self._views[name] = node
        if self._ranked is None:
            self._ordered[bisect_left(self._names, name)] = node
            return
        cost = self._ranked.cost(node)
        if cost != self._costs[name]:
            self._leave(name)
            self._enter(cost, name)

    def add(self, node: NodeView) -> None:
        """One node more, or another snapshot of one that is there."""
        name = node.name
        if name in self._views:
            self.update(node)
            return
        self._views[name] = node
        if self._ranked is None:
            place = bisect_left(self._names, name)
            self._names.insert(place, name)
            self._ordered.insert(place, node)
        else:
            self._enter(self._ranked.cost(node), name)

    def remove(self, name: str) -> None:
        """One node less. Raises KeyError."""
        del self._views[name]
        if self._ranked is None:
            place = bisect_left(self._names, name)
            del self._names[place], self._ordered[place]
        else:
            self._leave(name)

    def _leave(self, name: str) -> None:
        cost = self._costs.pop(name)
        bucket = self._buckets[cost]
        if len(bucket) == 1:
            del self._buckets[cost]
        else:
            del bucket[bisect_left(bucket, name)]

    def _enter(self, cost: Any, name: str) -> None:
        self._costs[name] = cost
        bucket = self._buckets.get(cost)
        if bucket is not None:
            insort(bucket, name)
            return
        self._buckets[cost] = [name]
        heappush(self._heap, cost)
        if len(self._heap) > 4 * len(self._views) + 16:  # costs that nobody has any more
            self._heap = list(self._buckets)
            heapify(self._heap)
