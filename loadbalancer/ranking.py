"""Policies that give every node a cost and take the cheapest.

Such a policy is its cost. `Ranked.choose` computes all costs; `loadbalancer/pool.py` keeps them up to date
instead, for clusters where looking at every node for each piece of work takes too long.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from operator import attrgetter
from random import Random
from typing import Any

from loadbalancer.policy import NodeView, Policy

ACTIVE = attrgetter("active")


class Ranked(Policy):
    """Takes the node of least cost; equals take turns. Costs are numbers or tuples of numbers, never nan."""

    @abstractmethod
    def cost(self, node: NodeView) -> Any:
        """What one more piece of work costs on this node. It depends on nothing but the node."""

    def costs(self, nodes: Sequence[NodeView]) -> list[Any]:
        return list(map(self.cost, nodes))

    def pick(self, least: Any, count: int, turn: int, rng: Random) -> int:
        """Which of the `count` nodes that share the least cost, by name: 0 is the first."""
        return turn % count

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        costs = self.costs(nodes)
        least = min(costs)
        equals = [index for index, cost in enumerate(costs) if cost == least]
        return nodes[equals[self.pick(least, len(equals), turn, rng)]]


def expected(active: int, capacity: float) -> float:
    """(active + 1) / capacity: the load once one more piece of work is there. Infinite without capacity
    (zero, negative or nan), so that such a node is chosen only when there is no other."""
    return (active + 1) / capacity if capacity > 0 else inf


def known(value: float) -> float:
    """A measured number, or 0 where it is none (negative or nan)."""
    return value if value > 0 else 0.0
