"""Each node in turn."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView, Policy


class RoundRobin(Policy):
    """The nodes one after another: turn `t` goes to node `t mod n`.

    Source: the default of NGINX, HAProxy's `roundrobin` and Envoy's ROUND_ROBIN; IPVS `rr`.
    When: the nodes are equal and so are the pieces of work. It sees neither load nor speed, so on unequal
    nodes work piles up at the slowest.
    """

    name: ClassVar[str] = "round_robin"
    summary: ClassVar[str] = "Each node in turn, whatever it has to do; right for equal nodes and equal work."

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        return nodes[turn % len(nodes)]
