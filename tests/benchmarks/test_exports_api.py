"""A run as files says what its cells say."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from loadbalancer.report.statistics import percentile
from tests.benchmarks.conftest import finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(alice_web, start):
    run = finish(start())

    def get(path: str) -> tuple[str, str]:
        answer = alice_web.get(f"/api/v1/benchmarks/{run.pk}/{path}")
        assert answer.status_code == 200
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return answer["Content-Type"], body.decode()

    return get


def test_table_and_json_agree_with_the_single_images(get):
    kind, text = get("images.csv")
    images = list(csv.DictReader(io.StringIO(text)))
    rows = {row["policy"]: row for row in csv.DictReader(io.StringIO(get("report.csv")[1]))}
    data = json.loads(get("report.json")[1])

    assert kind.startswith("text/csv")
    assert len(images) == 8 * 20
    for policy, row in rows.items():
        ends, p99 = [], []
        for seed in ("1", "2"):
            own = [
                one
                for one in images
                if (one["scenario"], one["policy"], one["seed"]) == ("all", policy, seed)
            ]
            assert sorted(int(one["task"]) for one in own) == list(range(20))
            ends.append(max(float(one["end"]) for one in own))
            p99.append(percentile([float(one["end"]) - float(one["arrival"]) for one in own], 0.99))
        assert float(row["makespan"]) == pytest.approx(sum(ends) / 2, abs=1e-3)
        assert float(row["sojourn_p99"]) == pytest.approx(sum(p99) / 2, abs=1e-3)
    assert [row["policy"] for row in data["rows"]] == list(rows) == ["pull", "round_robin"]
    assert len(data["runs"]) == 4
    assert data["settings"]["nodes"] == "2:1"
    assert data["runs"][0]["alone_slowest"] > data["runs"][0]["alone_fastest"]


def test_page_stands_alone(get):
    kind, html = get("report.html")

    assert kind.startswith("text/html")
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "Beside the original" in html


@pytest.mark.parametrize("name", ["makespan", "saved", "sojourn", "waiting", "nodes"])
def test_figures_are_svg_with_words(get, name):
    kind, text = get(f"plots/{name}.svg")

    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    assert kind == "image/svg+xml"
    assert "pull" in root.findtext("{http://www.w3.org/2000/svg}desc")


def test_run_without_results_has_no_figures_and_empty_files(alice_web, start):
    run = start()
    base = f"/api/v1/benchmarks/{run.pk}"

    assert alice_web.get(f"{base}/plots/makespan.svg").status_code == 404
    assert alice_web.get(f"{base}/plots/../x.svg").status_code == 404
    for path in ("report.csv", "report.json", "report.html", "images.csv"):
        assert alice_web.get(f"{base}/{path}").status_code == 200
    assert alice_web.get(base).json()["plots"] == {}
