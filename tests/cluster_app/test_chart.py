"""The drawing of a node's load."""

from __future__ import annotations

import pytest

from apps.cluster.chart import draw
from apps.cluster.queries import Sample


def samples(*points: tuple[float, int]) -> list[Sample]:
    return [Sample(time, active, slots=2, images=4) for time, active in points]


def test_nothing_recorded_draws_nothing():
    chart = draw([], 0, 900)

    assert (chart.area, chart.edge, chart.load, chart.percent, chart.images) == ("", "", None, None, 0)


def test_load_steps_from_sample_to_sample():
    chart = draw(samples((885, 0), (890, 1), (895, 2)), 0, 900)

    assert chart.edge == "M295 48H296.7V24H298.3V0H300"
    assert chart.area == "M295 48V48H296.7V24H298.3V0H300V48Z"
    assert chart.load == pytest.approx(0.5)
    assert chart.percent == 50
    assert chart.images == 12


def test_equal_neighbours_are_one_step():
    assert draw(samples((885, 1), (890, 1), (895, 1)), 0, 900).edge == "M295 24H300"


def test_node_that_was_away_leaves_a_hole():
    chart = draw(samples((0, 2), (600, 2)), 0, 900)

    assert chart.edge == "M0 0H5M200 0H205"
    assert chart.load == 1.0  # of the time that it was there


def test_more_work_than_slots_is_full():
    assert draw(samples((895, 5)), 0, 900).edge == "M298.3 0H300"
