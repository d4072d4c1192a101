"""Engines that run a trace on nodes under a policy: a trace in, a record of each image out.

An engine for real nodes joins by a class here. It gets the same traces, so its outcomes stand beside the
simulator's in one report; `Record.work` stays the trace's, times are what was really seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from loadbalancer.records import Outcome
from loadbalancer.simulator import simulate
from loadbalancer.workload import NodeSpec, Trace


class Engine(Protocol):
    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        """Run the trace to its end. `chunk_seconds`: work bound to a node as one piece; 0: each image."""


class Simulator:
    """The simulation, with what its decisions really take."""

    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        return simulate(
            trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds, stopwatch=time.perf_counter
        )


ENGINES: Mapping[str, Engine] = {"simulator": Simulator()}
