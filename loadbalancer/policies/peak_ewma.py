"""The least work in hand, by how long work has taken lately."""

from __future__ import annotations

from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked, known

PENALTY = 1e12  # above any latency times any count


class PeakEwma(Ranked):
    """The node with the least work in hand times its latency; equals take turns.

    Cost of a node: `latency * (active + 1)`, the latency being a moving average that jumps up with a slow
    answer and comes down slowly (loadbalancer/latency.py). An idle node of unknown latency costs nothing,
    so it is tried once; while that first piece is under way it comes after all others. Where no latency is
    known at all, that is the least work in hand.
    Source: Finagle's and Linkerd's "Peak EWMA". They compare two random nodes, being many dispatchers; here
    one sees all nodes.
    When: nodes become slow for a while, by noisy neighbours or a full disk, and latency is measured at each
    answer, as it is for previews.
    """

    name: ClassVar[str] = "peak_ewma"
    summary: ClassVar[str] = "The least work in hand times recent latency; right when nodes have slow spells."

    def cost(self, node: NodeView) -> float:
        latency = known(node.latency)
        if latency:
            return latency * (node.active + 1)
        return PENALTY + node.active if node.active else 0.0
