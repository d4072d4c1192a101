"""What runs a cell: a trace in, an outcome out. The simulator, or this installation's nodes.

An engine calls `beat` every now and then, at least once in five seconds: it keeps the run's lease, and raises
when the run was cancelled or another process has taken over. What was begun on nodes is then to be stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from loadbalancer.records import Outcome
from loadbalancer.workload import NodeSpec, Trace

Beat = Callable[[], None]


class EngineError(Exception):
    """A cell can't be run, and its text says why and what to do, in words for people."""


class EngineBusy(EngineError):
    """Not now: other work would spoil the measurement. The cell is tried again later."""


class Engine(Protocol):
    def nodes(self) -> tuple[NodeSpec, ...]:
        """The nodes there are now, speeds relative to the slowest. Raises EngineError."""

    def run(
        self,
        trace: Trace,
        nodes: Sequence[NodeSpec],
        policy: str,
        *,
        seed: int,
        chunk_seconds: float,
        app: str,
        beat: Beat,
    ) -> Outcome:
        """Run the trace to its end. Raises EngineError, EngineBusy, and whatever `beat` raises."""


class Simulator:
    """The simulation, with what its decisions really take."""

    def nodes(self) -> tuple[NodeSpec, ...]:
        raise EngineError("A simulation has no nodes of its own. Write them down.")

    def run(
        self,
        trace: Trace,
        nodes: Sequence[NodeSpec],
        policy: str,
        *,
        seed: int,
        chunk_seconds: float,
        app: str,
        beat: Beat,
    ) -> Outcome:
        from loadbalancer.simulator import simulate  # SimPy: not for processes that simulate nothing

        watch = _Stopwatch(beat)
        return simulate(trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds, stopwatch=watch)


class Real:
    """This installation's nodes: apps/benchmarks/replay."""

    def nodes(self) -> tuple[NodeSpec, ...]:
        return _replay().nodes()

    def run(
        self,
        trace: Trace,
        nodes: Sequence[NodeSpec],
        policy: str,
        *,
        seed: int,
        chunk_seconds: float,
        app: str,
        beat: Beat,
    ) -> Outcome:
        return _replay().run(trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds, app=app, beat=beat)


BEAT_SECONDS = 1.0


class _Stopwatch:
    """A clock for the simulator that beats now and then, outside of what it measures: it is asked before and
    after each decision, and beats before the first of the two."""

    def __init__(self, beat: Beat) -> None:
        self._beat = beat
        self._inside = False
        self._last = time.perf_counter()

    def __call__(self) -> float:
        now = time.perf_counter()
        self._inside = not self._inside
        if self._inside and now - self._last >= BEAT_SECONDS:
            self._beat()
            self._last = now = time.perf_counter()
        return now


def _replay() -> Engine:
    try:
        from apps.benchmarks import replay
    except ImportError:
        raise EngineError("This installation can't run real benchmarks. Simulate instead.") from None
    return replay


ENGINES: dict[str, Engine] = {"simulated": Simulator(), "real": Real()}
"""By kind of run."""
