"""Weighted round robin as a function of the turn.

NGINX keeps a running score for each node. Here the scores are replayed once over a whole cycle, and the turn
is looked up in it, so that processes that share nothing but the turn agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from operator import attrgetter
from random import Random
from typing import ClassVar

from loadbalancer.policy import NodeView, Policy

LONGEST_CYCLE = 1000  # turns; weights that would need more are rounded
_WEIGHT = attrgetter("weight")


class WeightedRoundRobin(Policy):
    """The nodes in turn, each as often as its weight says, its turns spread evenly over the cycle.

    Each turn adds to every node's score its weight; the highest score gets the turn (the first of equals) and
    loses the sum of the weights. Weights 5, 1, 1 give a a b a c a a. After as many turns as the sum of the
    weights, divided by their greatest common divisor, the scores are zero again and the cycle repeats.

    Source: NGINX 1.3.1, "smooth weighted balancing" (ngx_http_upstream_round_robin.c).
    When: nodes differ in a known, steady way, and the pieces of work are equal. A node of weight 0 gets
    nothing while another has more. A cycle has at most 1000 turns: larger weights are rounded to fit.
    """

    name: ClassVar[str] = "weighted_round_robin"
    summary: ClassVar[str] = "Each node in turn, as often as its weight says; right for steady differences."

    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        cycle = self.rotation(nodes)
        return nodes[cycle[turn % len(cycle)]]

    def rotation(self, nodes: Sequence[NodeView]) -> Sequence[int]:
        weights = tuple(map(_WEIGHT, nodes))
        if weights.count(weights[0]) == len(weights):
            return range(len(nodes))
        return cycle_of(weights)


@lru_cache(maxsize=64)
def cycle_of(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Positions of the nodes in the order of one cycle of `reduced` weights."""
    return smooth_cycle(reduced(weights))


def reduced(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Weights in the same proportion and as small as they can be: divided by their greatest common divisor,
    and rounded where a cycle would still be too long. What had a weight keeps at least 1. All zero: all 1."""
    weights = tuple(max(0, weight) for weight in weights)
    total = sum(weights)
    if not total:
        return (1,) * len(weights)
    divisor = gcd(*weights)
    if total // divisor > LONGEST_CYCLE:
        return tuple(max(1, weight * LONGEST_CYCLE // total) if weight else 0 for weight in weights)
    return tuple(weight // divisor for weight in weights)


def smooth_cycle(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Positions of the nodes in the order of one cycle.

    At turn t a node that was chosen c times has the score `weight · t − c · total`. Of nodes of equal weight
    the one that was chosen less often is ahead, and the first of equals, so they take turns among
    themselves, and it is enough to compare the next one of each weight.
    """
    total = sum(weights)
    places: dict[int, list[int]] = {}
    for place, weight in enumerate(weights):
        if weight:
            places.setdefault(weight, []).append(place)
    chosen = dict.fromkeys(places, 0)
    cycle = []
    for turn in range(1, total + 1):
        best = max(
            places,
            key=lambda weight: (
                weight * turn - chosen[weight] // len(places[weight]) * total,
                -places[weight][chosen[weight] % len(places[weight])],
            ),
        )
        cycle.append(places[best][chosen[best] % len(places[best])])
        chosen[best] += 1
    return tuple(cycle)
