"""The pages of benchmarks: everyone who is logged in reads, staff start, cancel and delete."""

from __future__ import annotations

import re

import pytest

from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.services import cells
from apps.cluster.services.balancing import policy_names
from loadbalancer import registry
from tests.benchmarks.conftest import finish

pytestmark = pytest.mark.django_db

FORM = {
    "title": "Mine",
    "kind": "simulated",
    "nodes": "2:1",
    "slots": "1",
    "arrivals": "folder",
    "jobs": "",
    "images": "20",
    "load": "nothing that matters",
    "sizes": "uniform",
    "mean": "1.0",
    "cold": "0",
    "chunk": "0",
    "fault": "none",
    "policies": ["pull", "random"],
    "seeds": "2",
    "alone": "on",
}


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_empty_list_tells_the_next_step(staff_web, alice_web):
    assert "New benchmark" in text_of(staff_web.get("/benchmarks/"))
    mine = alice_web.get("/benchmarks/")
    assert "Ask the simulator" in text_of(mine)
    assert "New benchmark" not in text_of(mine)


def test_list_searches_and_filters(alice_web, start):
    start(nodes="4:2:1")
    finish(start(nodes="1:1"))

    assert "Nodes 4:2:1" in text_of(alice_web.get("/benchmarks/"))
    found = text_of(alice_web.get("/benchmarks/?q=1:1,&status=succeeded"))
    assert "Nodes 1:1" in found
    assert "Nodes 4:2:1" not in found
    assert "No benchmark matches" in text_of(alice_web.get("/benchmarks/?q=nothing"))


def test_list_takes_a_fixed_number_of_queries(alice_web, start, django_assert_max_num_queries):
    for number in range(15):
        start(images=10 + number)
    finish(BenchmarkRun.objects.earliest("created"))

    with django_assert_max_num_queries(4):  # session, person, how many, the page
        alice_web.get("/benchmarks/")


def test_run_page_takes_a_fixed_number_of_queries(alice_web, start, django_assert_max_num_queries):
    run = finish(start(seeds=6))

    with django_assert_max_num_queries(4):  # session, person, run, cells
        alice_web.get(f"/benchmarks/{run.pk}/")


def test_finished_run_shows_headline_figures_table_and_exports(alice_web, start):
    run = finish(start())

    page = alice_web.get(f"/benchmarks/{run.pk}/")

    html, text = page.content.decode(), text_of(page)
    assert "less time than the slowest node alone, with pull" in text
    assert html.count("<svg xmlns") == 5
    assert "Beside the original" in text
    for ending in ("report.html", "report.csv", "report.json", "images.csv"):
        link = f"/api/v1/benchmarks/{run.pk}/{ending}"
        assert link in html
        assert alice_web.get(link).status_code == 200
    assert "hx-trigger" not in html.partition('id="bench-live"')[2].partition(">")[0]


def test_running_page_shows_progress_and_asks_for_more(alice_web, start):
    run = start()
    cells.advance(run.pk, budget=0)

    page = alice_web.get(f"/benchmarks/{run.pk}/").content.decode()
    live = alice_web.get(f"/benchmarks/{run.pk}/live/")

    assert 'max="8" value="1"' in page
    assert f'hx-get="/benchmarks/{run.pk}/live/?seen=running-1"' in live.content.decode()
    assert alice_web.get(f"/benchmarks/{run.pk}/live/?seen=running-1").status_code == 204
    assert alice_web.get(f"/benchmarks/{run.pk}/live/?seen=queued-0").status_code == 200
    assert "HX-Refresh" not in live.headers
    BenchmarkRun.objects.update(reason="Jobs are running on the nodes.")
    waiting = alice_web.get(f"/benchmarks/{run.pk}/live/?seen=running-1")
    assert "Jobs are running on the nodes." in text_of(waiting)
    finish(run)
    assert alice_web.get(f"/benchmarks/{run.pk}/live/").headers["HX-Refresh"] == "true"


def test_failed_run_says_why_and_keeps_what_was_measured(alice_web, start, monkeypatch):
    run = start()
    cells.advance(run.pk, budget=0)
    run.cells.filter(status="pending").update(attempts=cells.MAX_ATTEMPTS)
    finish(run)

    text = text_of(alice_web.get(f"/benchmarks/{run.pk}/"))

    assert "It stopped after 2 of 8 measurements." in text
    assert "killed several times" in text


def test_titles_are_escaped_everywhere(staff_web, start):
    run = finish(start())
    BenchmarkRun.objects.update(title="<script>alert(1)</script>")

    for path in (
        "/benchmarks/",
        f"/benchmarks/{run.pk}/",
        f"/benchmarks/compare/?run={run.pk}&run={start().pk}",
        f"/api/v1/benchmarks/{run.pk}/report.html",
    ):
        assert "<script>alert" not in staff_web.get(path).content.decode(), path


def test_staff_start_a_run_with_the_form(staff_web):
    assert staff_web.get("/benchmarks/new/?preset=tail").status_code == 200

    answer = staff_web.post("/benchmarks/new/", FORM)

    run = BenchmarkRun.objects.get()
    assert answer["Location"] == f"/benchmarks/{run.pk}/"
    assert (run.title, run.config["policies"], run.total) == ("Mine", ["pull", "random"], 8)


def test_form_sent_twice_starts_one_run(staff_web):
    form = FORM | {"key": "1m8abc"}

    staff_web.post("/benchmarks/new/", form)
    staff_web.post("/benchmarks/new/", form)
    assert BenchmarkRun.objects.count() == 1

    staff_web.post("/benchmarks/new/", form | {"images": "30"})
    assert BenchmarkRun.objects.count() == 2


def test_form_with_errors_keeps_what_was_typed_and_says_what_to_do(staff_web):
    answer = staff_web.post("/benchmarks/new/", FORM | {"nodes": "fast", "images": "0"})

    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="fast"' in html
    assert "Write speeds such as 4:2:1" in text_of(answer)
    assert html.count('aria-invalid="true"') == 2
    assert not BenchmarkRun.objects.exists()


def test_estimate_says_how_much_there_is_to_do(staff_web):
    good = text_of(staff_web.post("/benchmarks/estimate/", FORM))
    bad = text_of(staff_web.post("/benchmarks/estimate/", FORM | {"nodes": "x"}))

    assert "for 8 measurements, 160 images in all" in good
    assert "no speed" in bad
    assert not BenchmarkRun.objects.exists()


def test_estimate_goes_by_what_earlier_cells_took(staff_web, start):
    run = finish(start(images=2_000, seeds=1))
    run.cells.update(seconds=2.025)  # a millisecond an image, and what is around it

    assert "20 s" in text_of(staff_web.post("/benchmarks/estimate/", FORM | {"images": "2500"}))


def test_like_fills_the_form_in(staff_web, start):
    run = start(nodes="7:5", images=33)

    html = staff_web.get(f"/benchmarks/new/?like={run.pk}").content.decode()

    assert 'value="7:5"' in html
    assert 'value="33"' in html


def test_compare_sets_runs_side_by_side(alice_web, start):
    first, second = finish(start()), finish(start(nodes="4:2:1"))

    text = text_of(alice_web.get(f"/benchmarks/compare/?run={first.pk}&run={second.pk}"))

    assert "2 benchmarks side by side" in text
    assert "Nodes 2:1 4:2:1" in text


def test_compare_takes_a_fixed_number_of_queries(alice_web, start, django_assert_max_num_queries):
    query = "&".join(f"run={finish(start(images=10 + n)).pk}" for n in range(5))

    with django_assert_max_num_queries(4):  # session, person, runs, cells
        assert alice_web.get(f"/benchmarks/compare/?{query}").status_code == 200


@pytest.mark.parametrize("query", ["", "run=nothing&run=less", "run=\0"])
def test_compare_without_two_runs_goes_back(alice_web, query):
    assert alice_web.get(f"/benchmarks/compare/?{query}")["Location"] == "/benchmarks/"


def test_staff_cancel_and_delete(staff_web, start):
    run = start()

    refused = staff_web.post(f"/benchmarks/{run.pk}/delete/", follow=True)
    assert "has not ended" in text_of(refused)
    cancelled = staff_web.post(f"/benchmarks/{run.pk}/cancel/", follow=True)
    assert "Cancelled" in text_of(cancelled)
    gone = staff_web.post(f"/benchmarks/{run.pk}/delete/")

    assert gone["Location"] == "/benchmarks/"
    assert not BenchmarkRun.objects.exists()


def test_others_change_nothing(alice_web, charlie_web, start):
    run = start()
    before = list(BenchmarkRun.objects.values())
    posts = [("/benchmarks/new/", FORM), ("/benchmarks/estimate/", FORM)]
    posts += [(f"/benchmarks/{run.pk}/{act}/", {}) for act in ("cancel", "delete")]

    assert [alice_web.post(path, form).status_code for path, form in posts] == [403] * 4
    for path, form in posts:
        assert charlie_web.post(path, form)["Location"].startswith("/account/login/")
    assert alice_web.get("/benchmarks/new/").status_code == 403

    assert list(BenchmarkRun.objects.values()) == before


def test_logged_out_see_nothing(charlie_web, start):
    run = start()

    for path in ("", f"{run.pk}/", f"{run.pk}/live/", "what-if/", "compare/", "new/"):
        assert charlie_web.get(f"/benchmarks/{path}")["Location"].startswith("/account/login/")
    assert charlie_web.get(f"/api/v1/benchmarks/{run.pk}/report.csv").status_code == 401


@pytest.mark.parametrize("path", ["nothing/", "nothing/live/", "0" * 22 + "/"])
def test_unknown_run_is_not_there(staff_web, path):
    assert staff_web.get(f"/benchmarks/{path}").status_code == 404


def test_every_policy_can_be_ticked_and_those_of_this_engine_are(staff_web):
    html = staff_web.get("/benchmarks/new/").content.decode()

    assert re.findall(r'name="policies" value="(\w+)"', html) == list(registry.names())
    ticked = re.findall(r'name="policies" value="(\w+)" checked', html)
    assert ticked == list(policy_names())
    assert "scheduler" not in ticked
