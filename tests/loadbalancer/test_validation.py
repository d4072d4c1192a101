"""Predicted beside real, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadbalancer.report import page
from loadbalancer.report.measures import measure
from loadbalancer.report.validation import Pair, checked, order_kept
from tests.loadbalancer.test_report import TRACE, outcome

BASE = measure(outcome(), TRACE)  # makespan 4 s


def pair(policy: str, predicted: float, real: float, seed: int = 1) -> Pair:
    return Pair("case", policy, seed, replace(BASE, makespan=predicted), replace(BASE, makespan=real))


def test_errors_are_means_over_seeds():
    lines = checked([pair("pull", 11.0, 10.0), pair("pull", 9.0, 10.0, seed=2)])

    assert [line.measure for line in lines] == ["makespan", "sojourn_mean", "sojourn_p99"]
    assert (lines[0].predicted, lines[0].real) == (10.0, 10.0)
    assert lines[0].error == pytest.approx(0.0)
    assert lines[0].spread == pytest.approx(10.0)
    assert lines[1].error == 0.0


def test_the_model_alone_is_judged_with_the_speeds_of_the_run():
    real = pair("pull", 15.0, 10.0)
    with_speeds = replace(real, given=replace(BASE, makespan=10.5))

    assert checked([real])[0].given_error is None
    assert checked([with_speeds])[0].given_error == pytest.approx(5.0)


def test_only_policies_that_really_differ_have_an_order():
    lines = checked([pair("a", 10.0, 10.0), pair("b", 12.0, 10.4), pair("c", 11.0, 20.0)])

    # a and b are equal; a before c is right, and b before c is not.
    assert order_kept(lines, "case", "makespan") == (1, 2)
    assert order_kept(lines, "another", "makespan") == (0, 0)


def test_the_page_tells_the_error():
    text = page.to_html("Runs", [], {}, checked([pair("pull", 11.0, 10.0)]))

    assert "What the simulation had said" in text
    assert "<td>+10.0</td>" in text
