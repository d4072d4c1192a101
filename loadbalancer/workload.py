"""What is to be done and by whom: traces of images and descriptions of nodes.

The same trace is given to every policy and to every engine (simulated or real), so that they differ in
nothing else. Work is counted in seconds on a node of speed 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

HEAVY_ALPHA, HEAVY_RANGE = 1.5, 100.0  # bounded Pareto: exponent, largest ÷ smallest
LOGNORMAL_SIGMA = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """One image."""

    id: int  # 0, 1, 2, … in the order of arrival
    job: int
    arrival: float  # seconds since the trace began
    work: float  # seconds on a node of speed 1


Trace = tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """The node is dead from `start` until `end`."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node as it is; what a policy sees of it is a NodeView."""

    name: str
    speed: float = 1.0  # of one slot
    slots: int = 1
    weight: int = 1
    startup: float = 0.0  # seconds from its start until it takes work
    cold: float = 0.0  # seconds to load weights, paid once by each slot after a start; 0: they are warm
    outages: tuple[Outage, ...] = ()  # in order, not overlapping

    @property
    def capacity(self) -> float:
        return self.speed * self.slots


def equal(rng: Random) -> float:
    return 1.0


def uniform(rng: Random) -> float:
    """Between a half and one and a half."""
    return rng.uniform(0.5, 1.5)


def exponential(rng: Random) -> float:
    """As queueing theory likes it."""
    return rng.expovariate(1.0)


def lognormal(rng: Random) -> float:
    """Coefficient of variation 1.3."""
    return rng.lognormvariate(-(LOGNORMAL_SIGMA**2) / 2, LOGNORMAL_SIGMA)


def heavy(rng: Random) -> float:
    """A bounded Pareto distribution: most images are small, and the largest are a hundred times the smallest
    and 37 times the mean. Inverse of its distribution function, F(x) = (1 − x^−α) / (1 − r^−α)."""
    cut = 1 - HEAVY_RANGE**-HEAVY_ALPHA
    mean = HEAVY_ALPHA / (HEAVY_ALPHA - 1) * (1 - HEAVY_RANGE ** (1 - HEAVY_ALPHA)) / cut
    sample: float = (1 - rng.random() * cut) ** (-1 / HEAVY_ALPHA)
    return float(sample / mean)


SIZES: dict[str, Callable[[Random], float]] = {
    "equal": equal,
    "uniform": uniform,
    "exponential": exponential,
    "lognormal": lognormal,
    "heavy": heavy,
}
"""Distributions of an image's work by name; each has the mean 1."""


def folder(images: int, *, sizes: str = "uniform", mean: float = 1.0, seed: int = 0) -> Trace:
    """One job whose images are all there at the beginning. Raises KeyError for unknown `sizes`."""
    draw, rng = SIZES[sizes], Random(seed)  # noqa: S311 - a trace repeats
    return tuple(Task(number, 0, 0.0, mean * draw(rng)) for number in range(images))


def open_loop(
    jobs: int, *, rate: float, images: int = 1, sizes: str = "uniform", mean: float = 1.0, seed: int = 0
) -> Trace:
    """Jobs of `images` images that come at `rate` jobs a second, as a Poisson process: they don't wait for
    each other, so a cluster that falls behind is not spared. Raises KeyError for unknown `sizes`."""
    draw, rng = SIZES[sizes], Random(seed)  # noqa: S311 - a trace repeats
    tasks: list[Task] = []
    now = 0.0
    for job in range(jobs):
        now += rng.expovariate(rate)
        for _ in range(images):
            tasks.append(Task(len(tasks), job, now, mean * draw(rng)))
    return tuple(tasks)


def rate_for(load: float, nodes: tuple[NodeSpec, ...], *, images: int = 1, mean: float = 1.0) -> float:
    """Jobs a second that keep `nodes` busy to the part `load` of their capacity, in the mean."""
    return load * sum(node.capacity for node in nodes) / (images * mean)


def node_mix(mix: str, *, slots: int = 1, cold: float = 0.0, startup: float = 0.0) -> tuple[NodeSpec, ...]:
    """Nodes from relative speeds such as "4:2:1": the first is node-1. A node's weight is its speed as a
    whole number of the slowest's. Raises ValueError for what is no such list."""
    try:
        speeds = [float(part) for part in mix.split(":")]
    except ValueError:
        raise ValueError(f"{mix!r} is no mix of nodes; write speeds such as 4:2:1") from None
    if not all(0 < speed < float("inf") for speed in speeds):
        raise ValueError(f"{mix!r} is no mix of nodes: speeds are positive numbers")
    digits = len(str(len(speeds)))
    return tuple(
        NodeSpec(
            f"node-{number:0{digits}}",
            speed=speed,
            slots=slots,
            weight=max(1, round(speed / min(speeds))),
            cold=cold,
            startup=startup,
        )
        for number, speed in enumerate(speeds, 1)
    )


def random_outages(rng: Random, *, until: float, between: float, lasting: float) -> tuple[Outage, ...]:
    """Failures that come after `between` seconds of work in the mean and last `lasting`, both exponential."""
    outages, now = [], 0.0
    while (now := now + rng.expovariate(1 / between)) < until:
        end = now + rng.expovariate(1 / lasting)
        outages.append(Outage(now, end))
        now = end
    return tuple(outages)
