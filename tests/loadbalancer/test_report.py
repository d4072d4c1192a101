"""Numbers of the report from traces small enough to compute by hand."""

from __future__ import annotations

import csv
import json
from io import StringIO
from xml.etree import ElementTree

import pytest

from loadbalancer.records import Outcome, Record
from loadbalancer.report import page
from loadbalancer.report.charts import Bar, Mark, bars, interval, number
from loadbalancer.report.comparison import Run, rows
from loadbalancer.report.measures import lower_bound, measure, saved
from loadbalancer.report.statistics import estimate, jain, percentile, student_t
from loadbalancer.workload import NodeSpec, Task

# Two nodes, the first twice as fast; three images of 4, 2 and 2 seconds of work, the last comes at 1.
NODES = (NodeSpec("a", speed=2.0), NodeSpec("b"))
TRACE = (Task(0, 0, 0.0, 4.0), Task(1, 0, 0.0, 2.0), Task(2, 0, 1.0, 2.0))
RECORDS = (
    Record(0, 0, "a", arrival=0.0, placed=0.0, start=0.0, end=2.0, work=4.0),
    Record(1, 0, "b", arrival=0.0, placed=0.0, start=0.0, end=2.0, work=2.0),
    Record(2, 0, "b", arrival=1.0, placed=1.0, start=2.0, end=4.0, work=2.0),
)


def outcome(policy: str = "round_robin", seconds: float | None = 6e-6) -> Outcome:
    return Outcome(
        policy,
        NODES,
        RECORDS,
        busy={"a": 2.0, "b": 4.0},
        wasted={"a": 0.0, "b": 0.5},
        decisions=3,
        decision_seconds=seconds,
    )


def test_measures_of_a_trace_by_hand():
    found = measure(outcome(), TRACE)

    assert (found.images, found.makespan, found.unfinished) == (3, 4.0, 0)
    assert found.lower_bound == pytest.approx(8 / 3)  # 8 seconds of work, 3 a second
    assert found.over_bound == pytest.approx(1.5)
    assert (found.waiting_mean, found.waiting_p50) == (pytest.approx(1 / 3), 0.0)
    assert found.waiting_p95 == pytest.approx(0.9)  # 0, 0, 1: nine tenths of the way from the second
    assert found.waiting_p99 == pytest.approx(0.98)
    assert (found.sojourn_mean, found.sojourn_p50) == (pytest.approx(7 / 3), 2.0)  # 2, 2, 3
    assert found.sojourn_p99 == pytest.approx(2.98)
    assert found.utilisation == {"a": 0.5, "b": 1.0}
    assert found.jain == pytest.approx(2.25 / 2.5)  # (0.5 + 1)² / (2 · (0.25 + 1))
    assert found.load_max_to_mean == pytest.approx(4 / 3)
    assert found.wasted == 0.5
    assert found.decision_us == pytest.approx(2.0)


def test_lower_bound_knows_the_longest_image_and_late_arrivals():
    assert lower_bound([Task(0, 0, 0.0, 10.0), Task(1, 0, 0.0, 1.0)], NODES) == 5.0
    assert lower_bound([Task(0, 0, 0.0, 1.0), Task(1, 0, 9.0, 3.0)], NODES) == 10.5
    assert lower_bound([Task(0, 0, 5.0, 1.0), Task(1, 0, 14.0, 3.0)], NODES) == 10.5  # from the first on


def test_nothing_done_is_nothing_to_measure():
    with pytest.raises(ValueError, match="no image was done"):
        measure(Outcome("pull", NODES, (), {}, {}, unfinished=(0, 1, 2)), TRACE)


def test_savings_against_one_node():
    assert saved(40.0, 100.0) == pytest.approx(60.0)
    assert saved(120.0, 100.0) == pytest.approx(-20.0)


def test_percentiles_interpolate():
    assert [percentile([4, 1, 3, 2], part) for part in (0, 0.5, 1)] == [1, 2.5, 4]
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_fairness():
    assert jain([3, 3, 3]) == pytest.approx(1.0)
    assert jain([1, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 1.0


def test_intervals_by_student():
    """Five values 1 to 5: mean 3, standard deviation √2.5, t = 2.776."""
    found = estimate([1, 2, 3, 4, 5])

    assert found.mean == 3
    assert found.half == pytest.approx(2.776 * 2.5**0.5 / 5**0.5)
    assert estimate([7]).half is None
    # tables: 2.021 for 40, 1.980 for 120 degrees of freedom
    assert [round(student_t(freedom), 3) for freedom in (1, 30, 40, 120)] == [12.706, 2.042, 2.021, 1.98]
    with pytest.raises(ValueError, match="two values"):
        student_t(0)


def two_rows() -> tuple[list[Run], list]:
    runs = [
        Run("case <1>", policy, seed, measure(outcome(policy), TRACE), 8.0, 16.0)
        for policy in ("round_robin", "pull")
        for seed in (1, 2)
    ]
    return runs, rows(runs)


def test_rows_average_over_seeds():
    _, table = two_rows()

    assert [(row.policy, row.seeds, row.images) for row in table] == [("round_robin", 2, 6), ("pull", 2, 6)]
    assert table[0].estimates["saved_fastest"].mean == pytest.approx(50.0)
    assert table[0].estimates["saved_slowest"].mean == pytest.approx(75.0)
    assert table[0].estimates["makespan"].half == 0.0


def test_csv_has_a_line_for_each_row_and_json_everything():
    runs, table = two_rows()

    lines = list(csv.DictReader(StringIO(page.to_csv(table))))
    data = json.loads(json.dumps(page.to_data(table, runs, {"seeds": 2})))

    assert [line["policy"] for line in lines] == ["round_robin", "pull"]
    assert (lines[0]["makespan"], lines[0]["makespan_ci"], lines[0]["utilisation b"]) == ("4.0", "0.0", "1.0")
    assert len(data["runs"]) == 4 and data["original"]["round_robin"] == [51.0, 62.0]


def test_page_stands_alone_and_escapes_names():
    _, table = two_rows()

    html = page.to_html("Runs & more", table, {"note": "<b>"})

    assert (
        "<h2>case &lt;1&gt;</h2>" in html and "&lt;b&gt;" in html and "<title>Runs &amp; more</title>" in html
    )
    assert "51–62 %" in html
    for outside in ("<script", "src=", "href=", "@import", "url("):
        assert outside not in html
    assert html.count("<svg") == 2


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [
        (1.01189, 0.00235, "1.0119 ± 0.0024"),
        (130.4, 25.2, "130 ± 25"),
        (8.343, 0.517, "8.34 ± 0.52"),
        (0, 0, "0 ± 0"),
    ],
)
def test_intervals_are_said_to_their_second_figure(value: float, half: float, said: str):
    assert interval(value, half) == said


def test_chart_is_well_formed_and_to_scale():
    svg = bars("A & B", [Bar("x<y", 1.0), Bar("z", 2.0, half=0.5)], "s", Mark(1.0, "bound"))

    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    boxes = [float(box.get("width")) for box in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert root.get("aria-label") == "A & B"
    assert boxes == [160.0, 320.0]  # 400 px hold 2.5


def test_chart_of_nothing_and_of_negative_values():
    assert ElementTree.fromstring(bars("empty", [], "s")) is not None  # noqa: S314 - our own
    assert 'width="0"' in bars("less", [Bar("a", -3.0)], "%")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (123.4, "123"), (12345.6, "12346")]
)
def test_numbers_have_three_figures(value: float, text: str):
    assert number(value) == text
