"""How fast the nodes really are, and what each size of photo really takes, measured with the work itself.

Every node works through the same photos at the same time. `t(photo, node)` is the median of its tries; a
node's speed is the sum of the slowest node's `t` over the sum of its own, and a photo's work is the mean over
nodes of `t · speed`. So work is counted in seconds on the slowest node, whose speed is 1, as in traces.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from apps.benchmarks.replay.dispatch import ReplayError, Setup, replay
from apps.benchmarks.replay.photos import Bank, Photo
from apps.benchmarks.replay.queues import Work
from loadbalancer.records import Outcome
from loadbalancer.workload import NodeSpec, Task, Trace

GRADES = 7  # sizes that are tried; between them work is interpolated
TRIES = 3


@dataclass(frozen=True)
class Calibration:
    """`points`: (megapixels, seconds on a node of speed 1), rising."""

    points: tuple[tuple[float, float], ...]
    speeds: Mapping[str, float]

    def work(self, megapixels: float) -> float:
        """Seconds on a node of speed 1, linear between the sizes that were tried, and beyond them."""
        return max(1e-4, _line([p for p, _ in self.points], [s for _, s in self.points], megapixels))

    def megapixels(self, work: float) -> float:
        """The size that takes so many seconds on a node of speed 1."""
        return max(0.0, _line([s for _, s in self.points], [p for p, _ in self.points], work))

    def nodes(self, nodes: Sequence[NodeSpec]) -> tuple[NodeSpec, ...]:
        """With the speeds that were measured."""
        return tuple(replace(node, speed=self.speeds[node.name]) for node in nodes)

    def fitted(self, trace: Trace, bank: Bank) -> tuple[Trace, list[Photo]]:
        """A photo for each task, and the trace with the work of these photos."""
        photos = [bank.nearest(self.megapixels(task.work)) for task in trace]
        works = [self.work(photo.megapixels) for photo in photos]
        return tuple(replace(task, work=work) for task, work in zip(trace, works, strict=True)), photos


def _line(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    right = min(max(1, bisect_left(xs, x)), len(xs) - 1)
    left = right - 1
    part = (x - xs[left]) / (xs[right] - xs[left])
    return ys[left] + part * (ys[right] - ys[left])


def calibrate(
    setup: Setup,
    nodes: Sequence[NodeSpec],
    work: Work,
    bank: Bank,
    *,
    smallest: float,
    largest: float,
    tries: int = TRIES,
    beat: Callable[[], None] = lambda: None,
) -> Calibration:
    """Measure with photos from `smallest` to `largest` megapixels. Raises what `replay` raises."""
    ratio = (largest / smallest) ** (1 / (GRADES - 1))
    sizes = [bank.nearest(smallest * ratio**grade) for grade in range(GRADES)]
    grades = sorted({photo.sha256: photo for photo in sizes}.values(), key=lambda photo: photo.megapixels)
    if len(grades) < 2:
        raise ReplayError("Calibration needs photos of two sizes at least.")
    # Each node gets each photo: round robin over a trace that repeats every photo once for each node.
    order = [photo for _ in range(tries + 1) for photo in grades for _ in nodes]
    trace = tuple(Task(number, 0, 0.0, 1.0) for number in range(len(order)))
    outcome = replay(
        setup, trace, [replace(node, slots=1) for node in nodes], "round_robin",
        work=work, photos=order, warm=True, beat=beat,
    )  # fmt: skip
    return from_outcome(outcome, order, [node.name for node in nodes])


def from_outcome(outcome: Outcome, photos: Sequence[Photo], names: Sequence[str]) -> Calibration:
    """The first try of each photo on each node is not counted."""
    took: dict[tuple[str, float], list[float]] = {}
    for record in sorted(outcome.records, key=lambda record: record.start):
        key = (record.node, photos[record.task].megapixels)
        took.setdefault(key, []).append(record.end - record.start)
    sizes = sorted({size for _, size in took})
    median = {key: statistics.median(seconds[1:] or seconds) for key, seconds in took.items()}
    sums = {name: sum(median[name, size] for size in sizes) for name in names}
    slowest = max(sums.values())
    speeds = {name: slowest / total for name, total in sums.items()}
    points, least = [], 0.0
    for size in sizes:
        least = max(least + 1e-6, statistics.fmean(median[name, size] * speeds[name] for name in names))
        points.append((size, least))
    return Calibration(tuple(points), speeds)


def as_run(outcome: Outcome) -> Outcome:
    """The outcome with each node's speed as it was in this very run: work done ÷ seconds it took.

    So makespan ÷ lower bound tells what a policy and the hand-over between images cost, and not that the
    machine was slower or faster than when it was calibrated. A node that did nothing changes as all others
    did together."""
    work = dict.fromkeys(outcome.busy, 0.0)
    took = dict.fromkeys(outcome.busy, 0.0)
    for record in outcome.records:
        work[record.node] += record.work
        took[record.node] += record.end - record.start
    before = {node.name: node.speed for node in outcome.nodes}
    expected = sum(work[name] / before[name] for name in work)
    drift = expected / total if (total := sum(took.values())) else 1.0
    speeds = {name: work[name] / took[name] if took[name] else before[name] * drift for name in outcome.busy}
    nodes = tuple(replace(node, speed=speeds[node.name]) for node in outcome.nodes)
    return replace(outcome, nodes=nodes)
