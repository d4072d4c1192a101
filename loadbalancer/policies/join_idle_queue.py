"""Idle nodes queue for work."""

from __future__ import annotations

from math import inf
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked, known


class JoinIdleQueue(Ranked):
    """The node that has had a free slot for longest; without one, any node, by chance.

    Cost of a node: `idle_since` while it has a free slot, infinite otherwise. Equals take turns, so without
    times the idle nodes do.
    Source: Y. Lu et al., "Join-Idle-Queue: A Novel Load Balancing Algorithm for Dynamically Scalable Web
    Services", Performance Evaluation 2011: idle servers announce themselves, and who dispatches asks nobody.
    When: there are very many nodes and it costs to ask them, and slots are seldom all taken. Once they are,
    it is no better than chance, and it never looks at speed.
    """

    name: ClassVar[str] = "join_idle_queue"
    summary: ClassVar[str] = "The node idle for longest, or else any; right for many nodes with room."

    def cost(self, node: NodeView) -> float:
        return known(node.idle_since) if node.active < node.slots else inf

    def pick(self, least: float, count: int, turn: int, rng: Random) -> int:
        return rng.randrange(count) if least == inf else turn % count
