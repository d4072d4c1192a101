"""What a simulation said beforehand, beside what real nodes did."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from loadbalancer.report.measures import Measures

CLEAR = 0.05  # policies whose real times are closer than this are taken to be equal
COMPARED = ("makespan", "sojourn_mean", "sojourn_p99")


@dataclass(frozen=True)
class Pair:
    """One trace under one policy, predicted and done. `given`: simulated afterwards, with the speeds that the
    nodes had in this run; what is still wrong then is the model's fault and not the measurement's."""

    case: str
    policy: str
    seed: int
    predicted: Measures
    real: Measures
    given: Measures | None = None


@dataclass(frozen=True)
class Checked:
    """A policy in a case: means over seeds in seconds, and the mean of the seeds' errors."""

    case: str
    policy: str
    measure: str
    predicted: float
    real: float
    error: float  # percent: 100 · (predicted ÷ real − 1), mean over seeds
    spread: float  # percent: the mean of the errors' sizes
    given_error: float | None = None  # percent: the same as `error`, with the speeds of the run


def checked(pairs: Sequence[Pair]) -> list[Checked]:
    """A line for each case, policy and measure, in the order in which they first come."""
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.case, pair.policy), []).append(pair)
    return [_line(case, policy, name, group) for (case, policy), group in groups.items() for name in COMPARED]


def _line(case: str, policy: str, name: str, group: Sequence[Pair]) -> Checked:
    predicted = [float(getattr(pair.predicted, name)) for pair in group]
    real = [float(getattr(pair.real, name)) for pair in group]
    errors = [100 * (before / after - 1) for before, after in zip(predicted, real, strict=True)]
    given = [
        100 * (float(getattr(pair.given, name)) / after - 1)
        for pair, after in zip(group, real, strict=True)
        if pair.given is not None
    ]
    return Checked(
        case,
        policy,
        name,
        statistics.fmean(predicted),
        statistics.fmean(real),
        statistics.fmean(errors),
        statistics.fmean(map(abs, errors)),
        statistics.fmean(given) if len(given) == len(group) else None,
    )


def order_kept(lines: Sequence[Checked], case: str, measure: str) -> tuple[int, int]:
    """Of the pairs of policies that really differ by more than 5 %: how many were predicted in the right
    order, and how many there are."""
    chosen = [line for line in lines if line.case == case and line.measure == measure]
    right = pairs = 0
    for one, other in combinations(chosen, 2):
        less, more = sorted((one, other), key=lambda line: line.real)
        if more.real > less.real * (1 + CLEAR):
            pairs += 1
            right += less.predicted < more.predicted
    return right, pairs
