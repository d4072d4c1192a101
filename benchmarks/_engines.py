"""Engines that run a trace on nodes under a policy: a trace in, a record of each image out.

    engine    simulator, celery or kubernetes
    cluster   nodes of one mix, ready to run traces: simulated, or real ones that were started and measured

Every cluster gets traces of the same making, so their outcomes stand beside each other in one report.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from loadbalancer.records import Outcome
from loadbalancer.simulator import simulate
from loadbalancer.workload import NodeSpec, Trace, node_mix


class Cluster(Protocol):
    nodes: tuple[NodeSpec, ...]  # as measured, or as wanted
    mean: float  # seconds of a mean image on a node of speed 1
    real: bool

    def fit(self, trace: Trace) -> Trace:
        """The trace with the work that its images really are."""

    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        """Run a fitted trace to its end. `chunk_seconds`: work that is bound as one piece; 0: each image.
        Real workers are started within the trace where nodes have a `startup`, and before it otherwise."""


Engine = Callable[[str, argparse.Namespace], AbstractContextManager[Cluster]]
"""From a mix of speeds such as "4:2:1" and the command's options to a cluster."""


class Simulated:
    """The simulation, with what its decisions really take."""

    real = False

    def __init__(self, nodes: tuple[NodeSpec, ...], mean: float) -> None:
        self.nodes = nodes
        self.mean = mean

    def fit(self, trace: Trace) -> Trace:
        return trace

    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        return simulate(
            trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds, stopwatch=time.perf_counter
        )


@contextmanager
def simulator(mix: str, options: argparse.Namespace) -> Iterator[Cluster]:
    yield Simulated(node_mix(mix, slots=options.slots), options.mean or 1.0)


@contextmanager
def celery(mix: str, options: argparse.Namespace) -> Iterator[Cluster]:
    from benchmarks._real import celery_cluster  # Django is set up there

    with celery_cluster(mix, options) as cluster:
        yield cluster


@contextmanager
def kubernetes(mix: str, options: argparse.Namespace) -> Iterator[Cluster]:
    from benchmarks._kubernetes import kubernetes_cluster

    with kubernetes_cluster(mix, options) as cluster:
        yield cluster


ENGINES: Mapping[str, Engine] = {"simulator": simulator, "celery": celery, "kubernetes": kubernetes}
