"""Chance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView, Policy


class RandomNode(Policy):
    """Any node, each as likely as the other.

    Source: HAProxy `random(1)`, NGINX `random`, Envoy's RANDOM.
    When: as the yardstick that others are measured against. It needs no counter and no counts; by chance
    some nodes get several pieces of work while others have none.
    """

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "Any node, by chance; the yardstick for the others."

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        return nodes[rng.randrange(len(nodes))]
