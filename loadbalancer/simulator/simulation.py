"""The simulation.

    arrivals ──▶ policy ──▶ a node's queue ──▶ a slot          push: bound on arrival
    arrivals ──▶ one queue ──▶ a free slot (policy `pull`)     pull: bound when a slot is free

A node dies without a word. What it had in hand is lost and begun again elsewhere, once the death is noticed;
until then a push policy goes on sending work there. When it comes back it starts up and is cold. A return
is noticed no sooner than the death: what a node had is silent until then, whoever is there again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from itertools import groupby
from math import inf
from random import Random
from typing import Any

import simpy

from loadbalancer import registry
from loadbalancer.latency import peak_ewma
from loadbalancer.policy import NodeView
from loadbalancer.pool import Pool
from loadbalancer.records import Outcome, Record
from loadbalancer.simulator.chunks import Piece, cut
from loadbalancer.workload import NodeSpec, Trace

Steps = Generator[simpy.Event, Any, None]

PULL = "pull"  # the policy that binds late
NOTICED = 5.0  # seconds until a death is noticed: NODE_TIMEOUT


def simulate(
    trace: Trace,
    nodes: Sequence[NodeSpec],
    policy: str,
    *,
    seed: int = 0,
    chunk_seconds: float = 0.0,
    noticed: float = NOTICED,
    stopwatch: Callable[[], float] | None = None,
) -> Outcome:
    """Run the trace to its end. The same arguments give the same outcome.

    Args:
        policy: a name of the registry; `pull` binds late, all others bind on arrival.
        seed: of the generator that the policy is given.
        chunk_seconds: work that is bound as one piece; 0 binds each image for itself.
        noticed: seconds from a node's death until it is known.
        stopwatch: a clock such as `time.perf_counter`, to measure what decisions cost.

    Raises UnknownPolicy, and ValueError without nodes.
    """
    if not nodes:
        raise ValueError("a cluster has at least one node")
    simulation = _Simulation(trace, nodes, policy, seed, chunk_seconds, noticed, stopwatch)
    return simulation.run()


class _Node:
    """The state of one node."""

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self.up = False
        self.in_hand = 0  # pieces, queued ones too, as the dispatcher counts them
        self.queue: deque[tuple[Piece, float]] = deque()  # with the time of placement
        self.free = list(range(spec.slots))
        self.warm: set[int] = set()  # slots that have their weights
        self.running: dict[simpy.Process, int] = {}
        self.lost: list[Piece] = []
        self.latency, self.answered, self.idle_since = 0.0, 0.0, 0.0
        self.busy, self.wasted = 0.0, 0.0

    def view(self) -> NodeView:
        spec = self.spec
        return NodeView(
            spec.name, spec.slots, self.in_hand, spec.weight, spec.speed, self.latency, self.idle_since
        )


class _Simulation:
    def __init__(
        self,
        trace: Trace,
        nodes: Sequence[NodeSpec],
        policy: str,
        seed: int,
        chunk_seconds: float,
        noticed: float,
        stopwatch: Callable[[], float] | None,
    ) -> None:
        self._policy = policy
        self._late = policy == PULL
        self._noticed = noticed
        self._stopwatch = stopwatch
        self._rng = Random(seed)  # noqa: S311 - a simulation repeats
        self._env = simpy.Environment()
        self._nodes = {spec.name: _Node(spec) for spec in nodes}
        # Whom the dispatcher believes to be there; under `pull`, whoever is there to fetch.
        self._pool = Pool(
            registry.get(policy), [] if self._late else [n.view() for n in self._nodes.values()]
        )
        self._trace = trace
        self._pieces = cut(trace, chunk_seconds, sum(spec.slots for spec in nodes))
        self._waiting: deque[Piece] = deque()
        self._records: dict[int, Record] = {}
        self._attempts: dict[int, int] = {}
        self._turn = 0
        self._decision_seconds = 0.0

    def run(self) -> Outcome:
        for node in self._nodes.values():
            self._env.process(self._life(node))
        done = self._env.process(self._arrivals())
        self._env.run(done)
        self._env.run()  # until nothing is left to happen
        states = self._nodes.values()
        return Outcome(
            policy=self._policy,
            nodes=tuple(node.spec for node in states),
            records=tuple(self._records[task] for task in sorted(self._records)),
            busy={node.spec.name: node.busy for node in states},
            wasted={node.spec.name: node.wasted for node in states},
            unfinished=tuple(task.id for task in self._trace if task.id not in self._records),
            decisions=self._turn,
            decision_seconds=self._decision_seconds if self._stopwatch else None,
        )

    def _arrivals(self) -> Steps:
        for arrival, pieces in groupby(self._pieces, lambda piece: piece[0].arrival):
            if arrival > self._env.now:
                yield self._env.timeout(arrival - self._env.now)
            self._waiting.extend(pieces)
            self._dispatch()
        yield self._env.timeout(0)

    def _life(self, node: _Node) -> Steps:
        """A node's start, its deaths and its returns."""
        yield self._env.timeout(node.spec.startup)
        self._start(node)
        for outage in node.spec.outages:
            if outage.end <= self._env.now:
                continue  # it is only now back from the one before
            yield self._env.timeout(max(0.0, outage.start - self._env.now))
            self._die(node)
            yield self._env.timeout(self._noticed)
            back = self._env.now >= outage.end
            self._notice(node, back)
            if outage.end == inf:
                return
            if not back:
                yield self._env.timeout(outage.end - self._env.now)
                if not self._late:
                    self._pool.add(node.view())
                    self._dispatch()
            yield self._env.timeout(node.spec.startup)
            self._start(node)

    def _start(self, node: _Node) -> None:
        node.up = True
        if self._late:
            self._pool.add(node.view())
            self._dispatch()
        self._work(node)

    def _die(self, node: _Node) -> None:
        node.up = False
        node.warm.clear()
        for process in list(node.running):
            process.interrupt()
        if self._late:
            self._pool.remove(node.spec.name)

    def _notice(self, node: _Node, back: bool) -> None:
        """What a dead node had goes to those that are there, itself too if it is back: first what was begun,
        then its queue."""
        if not self._late:
            self._pool.remove(node.spec.name)
        pieces = [*node.lost, *(piece for piece, _ in node.queue)]
        node.lost.clear()
        node.queue.clear()
        node.in_hand = 0
        node.latency = 0.0
        if back and not self._late:
            self._pool.add(node.view())
        self._waiting.extendleft(reversed(pieces))
        self._dispatch()

    def _dispatch(self) -> None:
        """Hand out what waits, as long as there is somebody to take it."""
        while self._waiting and len(self._pool):
            node = self._nodes[self._choose().name]
            if self._late and node.in_hand >= node.spec.slots:
                return  # the emptiest is full
            self._turn += 1
            node.in_hand += 1
            node.queue.append((self._waiting.popleft(), self._env.now))
            self._pool.update(node.view())
            self._work(node)

    def _choose(self) -> NodeView:
        if self._stopwatch is None:
            return self._pool.choose(self._turn, self._rng)
        before = self._stopwatch()
        chosen = self._pool.choose(self._turn, self._rng)
        self._decision_seconds += self._stopwatch() - before
        return chosen

    def _work(self, node: _Node) -> None:
        """Have free slots begin what is queued."""
        while node.up and node.queue and node.free:
            piece, placed = node.queue.popleft()
            slot = node.free.pop()
            process = self._env.process(self._serve(node, slot, piece, placed))
            node.running[process] = slot

    def _serve(self, node: _Node, slot: int, piece: Piece, placed: float) -> Steps:
        process, env, begun = self._env.active_process, self._env, 0
        start = env.now
        try:
            for begun, task in enumerate(piece):  # noqa: B007 - what a death left undone
                start = env.now
                self._attempts[task.id] = attempts = self._attempts.get(task.id, 0) + 1
                loading = 0.0 if slot in node.warm else node.spec.cold
                yield env.timeout(loading + task.work / node.spec.speed)
                node.warm.add(slot)
                node.busy += env.now - start
                self._records[task.id] = Record(
                    task.id,
                    task.job,
                    node.spec.name,
                    task.arrival,
                    placed,
                    start,
                    env.now,
                    task.work,
                    attempts,
                )
        except simpy.Interrupt:
            node.busy += env.now - start
            node.wasted += env.now - start
            node.lost.append(piece[begun:])
        else:
            self._finished(node, placed)
        finally:
            if process is not None:
                node.running.pop(process, None)
            node.free.append(slot)
        self._work(node)
        self._dispatch_late()

    def _finished(self, node: _Node, placed: float) -> None:
        now = self._env.now
        node.in_hand -= 1
        node.latency = peak_ewma(node.latency, now - placed, now - node.answered)
        node.answered = node.idle_since = now
        if node.spec.name in self._pool:
            self._pool.update(node.view())

    def _dispatch_late(self) -> None:
        if self._late:
            self._dispatch()
