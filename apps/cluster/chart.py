"""A node's load over the last minutes as an SVG path, and in numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.cluster.queries import Sample

WIDTH, HEIGHT = 300, 48
HOLDS = 15.0  # seconds that a sample speaks for at most; beyond, the node was away and the area has a hole


@dataclass(frozen=True)
class Chart:
    """`area` and `edge` are the `d` of paths within WIDTH × HEIGHT: the load's area and its upper edge."""

    area: str
    edge: str
    load: float | None  # mean part of the slots that were busy, 0 to 1; None without samples
    images: int  # photos done

    @property
    def percent(self) -> int | None:
        return None if self.load is None else round(100 * self.load)


@dataclass(frozen=True)
class _Step:
    start: float
    end: float
    load: float


def draw(samples: Sequence[Sample], since: float, now: float) -> Chart:
    """`samples` oldest first. A sample holds until the next one, for HOLDS at most."""
    steps = list(_steps(samples, now))
    seconds = sum(step.end - step.start for step in steps)
    load = sum(step.load * (step.end - step.start) for step in steps) / seconds if seconds else None
    area, edge = [], []
    for run in _runs(steps):
        x = [_short((time - since) / (now - since) * WIDTH) for time in (run[0].start, *(s.end for s in run))]
        y = [_short(HEIGHT * (1 - step.load)) for step in run]
        line = f"V{y[0]}" + "".join(f"H{right}V{level}" for right, level in zip(x[1:-1], y[1:], strict=True))
        area.append(f"M{x[0]} {HEIGHT}{line}H{x[-1]}V{HEIGHT}Z")
        edge.append(f"M{x[0]} {line[1:]}H{x[-1]}")
    return Chart("".join(area), "".join(edge), load, sum(sample.images for sample in samples))


def _steps(samples: Sequence[Sample], now: float) -> Iterator[_Step]:
    ends = [*(sample.time for sample in samples[1:]), now][: len(samples)]
    for sample, end in zip(samples, ends, strict=True):
        load = min(1.0, sample.active / max(1, sample.slots))
        if end > sample.time:
            yield _Step(sample.time, min(end, sample.time + HOLDS), load)


def _runs(steps: Sequence[_Step]) -> list[list[_Step]]:
    """Steps that follow each other without a hole, with equal neighbours joined."""
    runs: list[list[_Step]] = []
    for step in steps:
        if not runs or runs[-1][-1].end < step.start:
            runs.append([step])
        elif runs[-1][-1].load == step.load:
            runs[-1][-1] = _Step(runs[-1][-1].start, step.end, step.load)
        else:
            runs[-1].append(step)
    return runs


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
