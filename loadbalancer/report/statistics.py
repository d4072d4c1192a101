"""Percentiles, fairness and confidence intervals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; beyond, `student_t` expands.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_Z95 = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and half the width of its 95 % confidence interval; None of a single value."""

    mean: float
    half: float | None


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 to 1) of the values do not exceed, interpolated linearly between the two
    nearest (Hyndman and Fan's type 7, NumPy's default). Raises ValueError without values."""
    if not values:
        raise ValueError("there are no values to take a percentile of")
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def jain(values: Sequence[float]) -> float:
    """Jain's fairness index, (Σx)² / (n Σx²): 1 when all are equal, 1/n when one has everything."""
    squares = sum(value * value for value in values)
    total = sum(values)
    return total * total / (len(values) * squares) if squares else 1.0


def student_t(freedom: int) -> float:
    """The two-sided 95 % quantile: |t| stays below it 19 times of 20. Beyond 30 degrees of freedom by the
    first two terms of its expansion around the normal quantile, which is right to three decimals."""
    if freedom < 1:
        raise ValueError("an interval needs at least two values")
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = _Z95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of independent runs, one a seed."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean, None)
    return Estimate(mean, student_t(len(values) - 1) * statistics.stdev(values) / sqrt(len(values)))
