"""The nodes of a replay as its dispatcher knows them, and their workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.benchmarks.replay.queues import Queue
from loadbalancer.latency import peak_ewma
from loadbalancer.policy import NodeView
from loadbalancer.workload import NodeSpec


@dataclass
class Worker:
    name: str
    placed: float  # seconds since 1970
    seen: bool = False  # it has given a sign of life


@dataclass
class Lane:
    """One node. `in_hand`: pieces bound to it that are not done."""

    spec: NodeSpec
    queue: Queue
    seen_speed: float
    up: bool = True
    in_hand: int = 0
    latency: float = 0.0
    answered: float = 0.0
    idle_since: float = 0.0
    busy: float = 0.0
    wasted: float = 0.0
    workers: list[Worker] = field(default_factory=list)

    def view(self) -> NodeView:
        spec = self.spec
        return NodeView(
            spec.name, spec.slots, self.in_hand, spec.weight, self.seen_speed, self.latency, self.idle_since
        )

    def finished(self, placed: float, now: float) -> None:
        """A piece that was bound at `placed` is done."""
        self.in_hand = max(0, self.in_hand - 1)
        self.latency = peak_ewma(self.latency, now - placed, now - self.answered)
        self.answered = self.idle_since = now

    def lost(self) -> None:
        self.up = False
        self.in_hand = 0
        self.latency = 0.0
        self.workers.clear()
