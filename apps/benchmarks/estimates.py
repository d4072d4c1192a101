"""How long a run will take, before it is started and while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from apps.benchmarks.config import Config, cell_count
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from loadbalancer.workload import NodeSpec

AN_IMAGE = 2e-4  # seconds to simulate one, until it is known better
A_CELL = 0.05  # seconds around a cell: database and report
REAL = 1.25  # real runs take longer than the least time there could be
REAL_CELL = 3.0  # seconds around a cell: workers start and go
POD_CELL = 10.0  # the same with pods
CALIBRATION = 20.0  # once a run
_LOOKED_AT = 200  # cells


@dataclass(frozen=True)
class Estimate:
    cells: int
    images: int  # of all cells
    seconds: float
    waiting: int  # runs before it


def estimate(config: Config, nodes: Sequence[NodeSpec], *, kind: str) -> Estimate:
    """In three queries at most."""
    cells = cell_count(config)
    images = cells * config.total_images
    if kind == BenchmarkRun.Kind.REAL:
        around = POD_CELL if settings.ENGINE == "kubernetes" else REAL_CELL
        seconds = CALIBRATION + cells * around + REAL * _real_seconds(config, nodes)
    else:
        seconds = cells * A_CELL + images * _seconds_an_image()
    waiting = BenchmarkRun.objects.filter(status__in=("queued", "running")).count()
    return Estimate(cells, images, seconds, waiting)


def left(run: BenchmarkRun) -> float | None:
    """Seconds until a running one ends, going by what it took so far; None while that says nothing."""
    if run.status != BenchmarkRun.Status.RUNNING or not run.done or run.started is None:
        return None
    spent = (timezone.now() - run.started).total_seconds()
    return max(0.0, spent / run.done * (run.total - run.done))


def _real_seconds(config: Config, nodes: Sequence[NodeSpec]) -> float:
    seconds = len(config.policies) * config.least_seconds(nodes)
    if config.alone:
        ordered = sorted(nodes, key=lambda node: node.capacity)
        seconds += config.least_seconds(ordered[:1]) + config.least_seconds(ordered[-1:])
    return config.seeds * seconds


def _seconds_an_image() -> float:
    """As the last simulated cells on this machine took."""
    cells = BenchmarkCell.objects.filter(
        run__kind=BenchmarkRun.Kind.SIMULATED, status=BenchmarkCell.Status.SUCCEEDED
    ).order_by("-finished")[:_LOOKED_AT]
    images = seconds = 0.0
    for metrics, took in cells.values_list("metrics__images", "seconds"):
        images += metrics or 0
        seconds += max(0.0, (took or 0.0) - A_CELL / 2)
    return seconds / images if images >= 1_000 else AN_IMAGE
