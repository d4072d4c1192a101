"""The choices of a policy over nodes that change one at a time, without looking at all of them each time.

A policy compares all nodes for each choice: at 1,000 nodes, 50 to 150 µs in Python. Between two choices the
numbers of one or two nodes change. A pool keeps the nodes in buckets of equal cost and a heap of the costs,
so a choice or a change takes a few µs. It holds what the caller tells it and decides nothing by itself: for
the same nodes, turn and generator, `choose` is `policy.choose` (tests/loadbalancer/test_pool.py).
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
        self._nodes: list[NodeView] = []
        self._index: dict[str, int] = {}
        self._costs: list[Any] = []
        self._buckets: dict[Any, list[int]] = {}
        self._heap: list[Any] = []
        self._rebuild(nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, name: str) -> NodeView:
        """Raises KeyError."""
        return self._nodes[self._index[name]]

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def choose(self, turn: int, rng: Random) -> NodeView:
        """As the policy chooses. Raises IndexError without nodes."""
        if not self._nodes:
            raise IndexError("the pool has no node")
        if self._ranked is None:
            return self._policy.choose(self._nodes, turn, rng)
        while self._heap[0] not in self._buckets:
            heappop(self._heap)
        least = self._heap[0]
        equals = self._buckets[least]
        return self._nodes[equals[self._ranked.pick(least, len(equals), turn, rng)]]

    def update(self, node: NodeView) -> None:
        """Another snapshot of a node that is there. Raises KeyError."""
        index = self._index[node.name]
        self._nodes[index] = node
        if self._ranked is None:
            return
        cost, before = self._ranked.cost(node), self._costs[index]
        if cost == before:
            return
        self._costs[index] = cost
        bucket = self._buckets[before]
        if len(bucket) == 1:
            del self._buckets[before]
        else:
            del bucket[bisect_left(bucket, index)]
        self._enter(cost, index)

    def add(self, node: NodeView) -> None:
        """One node more, or another snapshot of one that is there. Takes time in proportion to the nodes."""
        if node.name in self:
            self.update(node)
        else:
            self._rebuild([*self._nodes, node])

    def remove(self, name: str) -> None:
        """One node less. Takes time in proportion to the nodes. Raises KeyError."""
        gone = self._index[name]
        self._rebuild(node for index, node in enumerate(self._nodes) if index != gone)

    def _enter(self, cost: Any, index: int) -> None:
        bucket = self._buckets.get(cost)
        if bucket is None:
            self._buckets[cost] = [index]
            heappush(self._heap, cost)
            if len(self._heap) > 4 * len(self._nodes) + 16:  # costs that nobody has any more
                self._heap = list(self._buckets)
                heapify(self._heap)
        else:
            insort(bucket, index)

    def _rebuild(self, nodes: Iterable[NodeView]) -> None:
        self._nodes = sorted(nodes, key=lambda node: node.name)
        self._index = {node.name: index for index, node in enumerate(self._nodes)}
        if len(self._index) != len(self._nodes):
            raise ValueError("two nodes have the same name")
        self._buckets = {}
        if self._ranked is None:
            return
        self._costs = self._ranked.costs(self._nodes)
        for index, cost in enumerate(self._costs):
            self._buckets.setdefault(cost, []).append(index)
        self._heap = list(self._buckets)
        heapify(self._heap)
