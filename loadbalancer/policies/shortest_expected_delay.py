"""The least work in hand for a node's speed."""

from __future__ import annotations

from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked, expected


class ShortestExpectedDelay(Ranked):
    """The node that would be done first, going by its measured speed; equals take turns.

    Cost of a node: `(active + 1) / speed`, the time until its work in hand and the new piece are done.
    Source: IPVS `sed`, with measured speed in the place of a fixed weight.
    When: nodes differ in speed and nobody wants to set weights. A much slower node stays idle until the fast
    ones are busy enough. A node without a measured speed (0) gets work only when there is no other.
    """

    name: ClassVar[str] = "shortest_expected_delay"
    summary: ClassVar[str] = "The node that would be done first, by measured speed; right for unequal nodes."

    def cost(self, node: NodeView) -> float:
        return expected(node.active, node.speed)
