"""What became of a trace: the same form from every engine, so that one report serves them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadbalancer.workload import NodeSpec


@dataclass(frozen=True, slots=True)
class Record:
    """One image that was done. Times are seconds since the trace began."""

    task: int
    job: int
    node: str
    arrival: float
    placed: float  # when it was bound to the node that did it
    start: float  # when that node began
    end: float
    work: float  # seconds on a node of speed 1
    attempts: int = 1  # how often it was begun

    @property
    def waiting(self) -> float:
        return self.start - self.arrival

    @property
    def sojourn(self) -> float:
        return self.end - self.arrival


@dataclass(frozen=True)
class Outcome:
    """A trace run on some nodes under a policy."""

    policy: str
    nodes: tuple[NodeSpec, ...]
    records: tuple[Record, ...]  # by task
    busy: Mapping[str, float]  # by node: seconds of slots, summed, lost work and loading among them
    wasted: Mapping[str, float]  # by node: seconds that were lost with it
    unfinished: tuple[int, ...] = ()  # tasks that no node was left for
    decisions: int = 0
    decision_seconds: float | None = field(default=None, compare=False)  # what they took, if measured
    repeated: int = 0  # results that came a second time: an image that a dead node had done just before
