"""What a policy sees and what it must do.

Vocabulary
    node      something that works: a cluster node for a batch worker, a preview server for a preview
    slots     how many pieces of work it takes at once
    active    how many it has now
    weight    its share, set by staff
    speed     work done per second, measured
    latency   seconds from handing a piece of work over until it is done, averaged by loadbalancer/latency.py;
              0 where nobody measures
    idle_since  when a slot of it became free, on any clock; 0 where nobody writes it down
    turn      how many choices were made before this one; the caller counts, so that several processes can
              share one rotation and a policy keeps no state
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class NodeView:
    """A snapshot of one node."""

    name: str
    slots: int = 1
    active: int = 0
    weight: int = 1
    speed: float = 1.0
    latency: float = 0.0
    idle_since: float = 0.0


class Policy(ABC):
    """Chooses one of several nodes. Instances are stateless and shared."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one sentence, for the form where staff choose
    engine: ClassVar[str] = (
        ""  # the only one that can leave the choice to somebody else; "": a policy for all
    )

    @abstractmethod
    def choose(self, nodes: Sequence[NodeView], turn: int, rng: Random) -> NodeView:
        """One of `nodes`, which is never empty and sorted by name. `turn` is at least 0."""

    def rotation(self, nodes: Sequence[NodeView]) -> Sequence[int] | None:
        """Places of `nodes` in the order of one whole cycle, of a policy for which that order takes long to
        make and depends on nothing that a choice changes; None of all others."""
        return None
