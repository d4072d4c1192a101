"""Figures for pages: what is drawn is what was measured, and it is said in words as well."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from loadbalancer.report.charts import Bar, Mark
from loadbalancer.report.figures import WIDTH, Span, curve, half_of, ranked, shares, signed

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def widths(root: ElementTree.Element) -> list[float]:
    return [float(one.get("width")) for one in root.iter(f"{SVG}rect")]


def test_bars_are_as_long_as_their_values():
    root = parsed(ranked("Time", [Bar("a", 10.0), Bar("b", 40.0)], "s"))

    assert widths(root) == [WIDTH / 4, WIDTH]
    assert root.findtext(f"{SVG}desc") == "a: 10.0 s; b: 40.0 s"


def test_interval_mark_and_span_fit_and_are_said():
    svg = ranked(
        "Less",
        [Bar("a", 30.0, 10.0), Bar("b", -5.0, 0.5)],
        "%",
        mark=Mark(20.0, "bound"),
        spans={"a": Span(35, 50, "the original: 35 to 50 %")},
        best="a",
    )

    root = parsed(svg)
    assert widths(root) == [WIDTH * 30 / 50, 1.0]  # what is below zero shows as nothing
    said = root.findtext(f"{SVG}desc")
    assert said == "a: 30.0 ± 10.0 % (the original: 35 to 50 %); b: −5.00 ± 0.50 %; bound: 20.0 %"


def test_labels_are_escaped():
    assert "<b>" not in ranked("<b>", [Bar("<b>", 1.0)], "<b>", mark=Mark(1, "<b>"))


@pytest.mark.parametrize("count", [1, 12, 13, 1000])
def test_shares_draw_any_number_of_nodes(count):
    nodes = {f"node-{number}": number / count for number in range(1, count + 1)}

    root = parsed(shares("Busy", {"pull": nodes}))

    assert max(widths(root)) == WIDTH
    assert len(widths(root)) <= 2 * 180
    assert "100 % busy" in root.findtext(f"{SVG}desc")


@pytest.mark.parametrize(
    "values", [[(1, 100.0), (2, 50.0)], [(1, 5.0)], [(1, 9000.0), (50, 3.0)], [(1, 0.0)]]
)
def test_curve_stays_inside(values):
    root = parsed(curve("Nodes", values, across="nodes", unit="s", goal=Mark(20.0, "goal")))

    height = float(root.get("viewBox").split()[3])
    for dot in root.iter(f"{SVG}circle"):
        assert 0 <= float(dot.get("cx")) <= WIDTH
        assert 0 <= float(dot.get("cy")) <= height


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [
        (66.5, 0.254, "0.3"),
        (1.01, 0.00761, "0.01"),
        (1.01, 0.0004, "0.0004"),
        (107.0, 11.7, "12"),
        (1.0, 0.0, "0.00"),
    ],
)
def test_half_an_interval_is_as_exact_as_its_value(value, half, said):
    assert half_of(value, half) == said


def test_minus_is_one():
    assert (signed(-2.291), signed(2.291), signed(0.0)) == ("−2.29", "2.29", "0")
