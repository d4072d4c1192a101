"""The better of two drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView, Policy


class PowerOfTwo(Policy):
    """Two different nodes at random, then the one with less work in hand; the first drawn of equals.

    Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; NGINX
    `random two least_conn`, HAProxy `random(2)`, Envoy's LEAST_REQUEST with its default of two choices.
    When: several dispatchers decide at once on counts that are a little old: they don't all run to the same
    node. With one dispatcher and few nodes it gains nothing over least connections.
    """

    name: ClassVar[str] = "power_of_two"
    summary: ClassVar[str] = "The less busy of two random nodes; right when many dispatchers decide at once."

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        if len(nodes) == 1:
            return nodes[0]
        first, second = rng.sample(range(len(nodes)), 2)
        return nodes[second] if nodes[second].active < nodes[first].active else nodes[first]
