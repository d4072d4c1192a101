"""The least work in hand for a node's weight."""

from __future__ import annotations

from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked, expected


class WeightedLeastConnections(Ranked):
    """The node with the least work for its weight; equals take turns.

    Cost of a node: `(active + 1) / weight`. The 1 is the piece of work being placed; without it every idle
    node would look the same, whatever its weight.
    Source: Envoy's LEAST_REQUEST with unequal weights (weight / (active + 1), largest first); IPVS `wlc`.
    When: nodes differ in a known way and pieces of work differ in length. A node of weight 0 gets work only
    when there is no other.
    """

    name: ClassVar[str] = "weighted_least_connections"
    summary: ClassVar[str] = "The node with the least work for its weight; right for unequal nodes and work."

    def cost(self, node: NodeView) -> float:
        return expected(node.active, node.weight)
