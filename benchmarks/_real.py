"""Clusters of real node workers for `load_balancing`: started, slowed down, measured, driven by a replay."""

from __future__ import annotations

import argparse
import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import _nodes
from loadbalancer.records import Outcome
from loadbalancer.workload import HEAVY_ALPHA, NodeSpec, Task, Trace, node_mix

if TYPE_CHECKING:
    from apps.benchmarks.replay.calibration import Calibration
    from apps.benchmarks.replay.dispatch import Fault, Setup
    from apps.benchmarks.replay.photos import Bank, Photo
    from apps.benchmarks.replay.queues import Work

SAMPLES = Path(__file__).resolve().parent.parent / "model_images" / "samples"
WEIGHTS = {"yolov5": "shapes", "gan": "comic", "classifier": "digits"}  # sample weights by app
CORES = 1.2  # that all nodes may have together, of two
UNIT = 0.25  # of a core, at most, for a node of speed 1
TIMEOUT = 5.0  # NODE_TIMEOUT
_SPREAD = HEAVY_ALPHA / (HEAVY_ALPHA - 1)  # about mean ÷ smallest of heavy sizes


class Real:
    """Real node workers of one mix. `nodes`: what starts and kills them; None where others do."""

    real = True

    def __init__(
        self,
        nodes: _nodes.Nodes | None,
        specs: tuple[NodeSpec, ...],
        setup: Setup,
        bank: Bank,
        work: Work,
        options: argparse.Namespace,
    ) -> None:
        self._started = nodes
        self._setup = setup
        self._bank = bank
        self._work = work
        self._photos: dict[int, list[Photo]] = {}
        self._kept: list[Trace] = []
        self.wanted = {spec.name: spec.speed for spec in specs}
        self.calibration = self._calibrate(specs, options)
        startup = self._startups(specs)
        self.nodes = tuple(
            replace(node, startup=startup[node.name]) for node in self.calibration.nodes(specs)
        )
        self.mean = self.calibration.work(options.megapixels)

    def _calibrate(self, specs: Sequence[NodeSpec], options: argparse.Namespace) -> Calibration:
        from apps.benchmarks.replay.calibration import calibrate

        return calibrate(
            self._setup,
            specs,
            self._work,
            self._bank,
            smallest=options.megapixels / _SPREAD,
            largest=min(45.0, 5 * options.megapixels),
        )

    def _startups(self, specs: Sequence[NodeSpec]) -> dict[str, float]:
        """Seconds from a placement to the worker's first image, weights and all."""
        from apps.benchmarks.replay.dispatch import replay

        photo = self._bank.nearest(0.1)
        trace = tuple(Task(number, 0, 0.0, 0.01) for number in range(len(specs)))
        found = replay(self._setup, trace, specs, "round_robin", work=self._work, photos=[photo] * len(specs))
        return {record.node: max(0.0, record.start) for record in found.records}

    def fit(self, trace: Trace) -> Trace:
        fitted, photos = self.calibration.fitted(trace, self._bank)
        self._kept.append(fitted)  # its id stays its own
        self._photos[id(fitted)] = photos
        return fitted

    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        from apps.benchmarks.replay.calibration import as_run
        from apps.benchmarks.replay.dispatch import replay

        outcome = replay(
            self._setup,
            trace,
            nodes,
            policy,
            work=self._work,
            photos=self._photos[id(trace)],
            seed=seed,
            chunk_seconds=chunk_seconds,
            warm=not any(node.startup for node in nodes),
            faults=self._faults(nodes),
        )
        if self._started is not None:
            self._started.restart_missing()  # killed, and the trace ended before its return
        return as_run(outcome)

    def _faults(self, nodes: Sequence[NodeSpec]) -> list[Fault]:
        from apps.benchmarks.replay.dispatch import Fault

        faults: list[Fault] = []
        for node in nodes:
            for outage in node.outages if self._started is not None else ():
                faults.append(Fault(outage.start, partial(self._started.kill, node.name)))
                faults.append(Fault(outage.end, partial(self._started.start, node.name)))
        return faults


@contextmanager
def celery_cluster(mix: str, options: argparse.Namespace) -> Iterator[Real]:
    """Celery node workers with CPU limits. Raises NoLimits, and whatever their start raises."""
    specs = node_mix(mix, slots=options.slots)
    unit = options.cpu or min(UNIT, CORES / sum(spec.capacity for spec in specs))
    with ExitStack() as stack:
        broker = django()
        from django.conf import settings

        from apps.benchmarks.replay.dispatch import Setup
        from apps.benchmarks.replay.photos import Bank
        from apps.cluster.engines.celery import CeleryEngine

        cpus = {spec.name: spec.speed * unit for spec in specs}
        nodes = stack.enter_context(_nodes.limited(settings.DATA_DIR, broker, cpus, options.slots))
        bank = Bank(settings.DATA_DIR)
        stack.callback(bank.remove)
        setup = Setup(CeleryEngine(), settings.DATA_DIR, TIMEOUT)
        yield Real(nodes, specs, setup, bank, work_of(settings.DATA_DIR, options), options)


@cache
def django() -> str:
    """Django can be set up once a process: the first mix does it, and the process's end closes what it needs.
    The broker's URL."""
    stack = ExitStack()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelyard-redis-")))
    atexit.register(stack.close)
    return stack.enter_context(_nodes.django_and_redis(folder))


def work_of(data_dir: Path, options: argparse.Namespace) -> Work:
    """What is done to each photo; an app that needs weights gets the sample's."""
    from apps.benchmarks.replay.queues import Work
    from jobfolder import weights_path

    params = json.loads(options.params) if options.params else {}
    if options.app not in WEIGHTS:
        return Work(options.app, params)
    source = SAMPLES / f"{WEIGHTS[options.app]}.onnx"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    target = weights_path(data_dir, digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return Work(options.app, params, digest)
