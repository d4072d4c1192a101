"""The least work in hand."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView, Policy
from loadbalancer.ranking import lowest


class LeastConnections(Policy):
    """The node with the least work in hand; equals take turns.

    Cost of a node: `active`.
    Source: HAProxy's `leastconn`, which breaks ties by rotation too; NGINX `least_conn`; IPVS `lc`.
    When: pieces of work differ in length. Who is slow, or caught a long one, gets no more until it is done.
    With one dispatcher that sees every node it is at least as good as sampling two.
    """

    name: ClassVar[str] = "least_connections"
    summary: ClassVar[str] = "The node with the least work in hand; right when the work differs in length."

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        return lowest(nodes, turn, lambda node: node.active)
