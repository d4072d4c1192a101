"""The least work in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import ACTIVE, Ranked


class LeastConnections(Ranked):
    """The node with the least work in hand; equals take turns.

    Cost of a node: `active`.
    Source: HAProxy's `leastconn`, which breaks ties by rotation too; NGINX `least_conn`; IPVS `lc`.
    When: pieces of work differ in length. Who is slow, or caught a long one, gets no more until it is done.
    With one dispatcher that sees every node it is at least as good as sampling two.
    """

    name: ClassVar[str] = "least_connections"
    summary: ClassVar[str] = "The node with the least work in hand; right when the work differs in length."

    def cost(self, node: NodeView) -> int:
        return node.active

    def costs(self, nodes: Sequence[NodeView]) -> list[int]:
        return list(map(ACTIVE, nodes))  # the same, in half the time
