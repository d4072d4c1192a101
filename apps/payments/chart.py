"""Earnings by day as bars in an SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.payments.queries import Day

WIDTH, HEIGHT = 600, 120
_GAP = 0.25  # of a day's width


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    day: Day


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]  # days with earnings
    top: int  # credits at the upper edge
    total: int
    sales: int


def draw(days: Sequence[Day]) -> Chart:
    """`days` oldest first. The upper edge is a round number at or above the best day."""
    top = _round_up(max((day.credits for day in days), default=0))
    step = WIDTH / max(1, len(days))
    bars = []
    for number, day in enumerate(days):
        if day.credits > 0:
            height = HEIGHT * day.credits / top
            x = step * (number + _GAP / 2)
            bars.append(
                Bar(
                    round(x, 1), round(HEIGHT - height, 1), round(step * (1 - _GAP), 1), round(height, 1), day
                )
            )
    return Chart(bars, top, sum(day.credits for day in days), sum(day.sales for day in days))


def _round_up(value: int) -> int:
    """1, 2 or 5 followed by zeros."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if value <= digit * power:
                return digit * power
        power *= 10
