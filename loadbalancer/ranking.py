"""What the policies that compare nodes have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from loadbalancer.policy import NodeView


def lowest(nodes: Sequence[NodeView], turn: int, cost: Callable[[NodeView], float]) -> NodeView:
    """The node of least cost; equals take turns. A cost that is no number (nan) counts as infinite."""
    costs = [value if (value := cost(node)) == value else inf for node in nodes]
    least = min(costs)
    equals = [node for node, value in zip(nodes, costs, strict=True) if value == least]
    return equals[turn % len(equals)]


def expected(active: int, capacity: float) -> float:
    """(active + 1) / capacity: the load once one more piece of work is there. Infinite without capacity, so
    that such a node is chosen only when there is no other."""
    return (active + 1) / capacity if capacity > 0 else inf
