"""Questions to the simulator: right, bounded, kept, and not too many."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache

from apps.benchmarks.services import whatif
from apps.benchmarks.whatif_words import said, whatif_plots
from apps.cluster.services.balancing import policy_names
from marketplace.api import ApiError
from tests.cluster_app.factories import make_node

pytestmark = pytest.mark.django_db


def answer(user, **data):
    return whatif.ask(user, whatif.question({"images": 60, **data}))


def test_equal_images_on_equal_nodes_have_an_answer_on_paper(alice):
    """60 images of a second: 2 nodes need 30 s; for 10 s it takes 6, for 9 s 7."""
    found = answer(alice, nodes="1:1", sizes="equal", minutes=10 / 60)

    assert found.rows[0].estimates["makespan"].mean == pytest.approx(30)
    assert found.bound == pytest.approx(30)
    assert (found.enough, found.enough_seconds) == (6, pytest.approx(10))
    assert dict(found.curve)[6] == pytest.approx(10)
    assert answer(alice, nodes="1:1", sizes="equal", minutes=9 / 60).enough == 7
    assert {row.policy for row in found.rows} == set(policy_names())


def test_pull_wins_on_unequal_nodes_and_words_say_so(alice):
    found = answer(alice, nodes="4:2:1", minutes=0.5)

    words = said(found)

    assert found.policy == "pull"
    assert words[0].startswith("Take pull: everything is done in ")
    assert "times as long" in words[1]
    assert "nodes of speed 1 are enough under pull" in words[-1]
    assert [plot.name for plot in whatif_plots(found)] == ["policies", "nodes"]


def test_arrivals_are_judged_by_what_counts(alice):
    found = answer(
        alice,
        nodes="4:2:1",
        arrivals="open",
        images=1,
        jobs=400,
        sizes="heavy",
        goal="sojourn_p99",
        minutes=1,
    )

    order = [row.estimates["sojourn_p99"].mean for row in found.rows]
    assert order == sorted(order)
    assert order[-1] > 2 * order[0]


def test_what_no_number_of_nodes_can_do_is_said(alice):
    found = answer(alice, arrivals="open", images=1, jobs=50, minutes=0.01)

    assert found.enough is None
    assert "not even 100 nodes" in said(found)[-1]
    assert found.curve


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"nodes": "fast"}, "nodes"),
        ({"nodes": "101x1"}, "nodes"),
        ({"images": 2001}, "images"),
        ({"arrivals": "open", "jobs": 100, "images": 21}, "jobs"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": "nan"}, "minutes"),
        ({"nodes": "\0"}, "nodes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_questions_are_bounded(data, field):
    with pytest.raises(ApiError) as refused:
        whatif.question(data)

    assert refused.value.status_code == 422
    assert field in refused.value.fields


def test_same_question_is_simulated_once(alice, bob, monkeypatch):
    first = answer(alice)
    monkeypatch.setattr(whatif, "_answer", lambda asked: pytest.fail("simulated again"))

    assert answer(bob).rows == first.rows


def test_too_many_questions_are_refused_and_known_ones_are_not(alice, monkeypatch):
    monkeypatch.setattr(whatif, "A_MINUTE", 2)
    monkeypatch.setattr(whatif.time, "time", lambda: 1_000_000.0)
    for images in (10, 11):
        answer(alice, images=images)

    with pytest.raises(ApiError) as refused:
        answer(alice, images=12)

    assert (refused.value.status_code, refused.value.wait) == (429, 20)
    assert answer(alice, images=10)


def test_few_are_simulated_at_once(alice, monkeypatch):
    for number in range(whatif.AT_ONCE):
        cache.set(f"whatif:slot:{number}", 1)

    with pytest.raises(ApiError) as refused:
        answer(alice)

    assert refused.value.status_code == 429
    cache.delete("whatif:slot:0")
    assert answer(alice)
    assert cache.get("whatif:slot:0") is None  # given back


def test_place_is_given_back_after_an_error(alice, monkeypatch):
    monkeypatch.setattr(whatif, "_answer", lambda asked: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        answer(alice)

    assert cache.get("whatif:slot:0") is None


def test_time_limit_leaves_seeds_out_and_the_answer_is_not_kept(alice, monkeypatch):
    monkeypatch.setattr(whatif, "SECONDS", 0.0)

    found = answer(alice)

    assert found.cut_short
    assert found.rows[0].seeds == 1
    assert found.curve == []
    monkeypatch.setattr(whatif, "SECONDS", 60.0)
    assert not answer(alice).cut_short


def test_api_and_page_give_the_same_answer(alice_api, alice_web):
    query = "nodes=2:1&images=40&minutes=0.5"

    body = alice_api.get(f"/api/v1/benchmarks/what-if?{query}").json()
    page = alice_web.get(f"/benchmarks/what-if/?{query}").content.decode()

    assert body["policy"] == "pull"
    assert body["enough"] == 2
    for sentence in body["words"]:
        assert sentence in page
    assert page.count("<svg xmlns") == 2


def test_page_keeps_a_wrong_question_and_answers_htmx_with_the_part(alice_web):
    page = alice_web.get("/benchmarks/what-if/?nodes=fast&images=9999")
    part = alice_web.get("/benchmarks/what-if/?images=40", headers={"HX-Request": "true"})

    assert page.status_code == 422
    assert page.content.decode().count('aria-invalid="true"') == 2
    assert part.content.decode().lstrip().startswith('<section id="answer"')


def test_form_begins_with_the_nodes_that_there_are(alice_web):
    assert 'value="2:1"' in alice_web.get("/benchmarks/what-if/").content.decode()
    make_node("node-1", speed=84.0, slots=4)
    make_node("node-2", speed=60.0, slots=4)
    make_node("node-3", speed=90.0, state="lost")

    html = alice_web.get("/benchmarks/what-if/").content.decode()

    assert 'value="1.4:1"' in html
    assert re.search(r'name="slots"[^>]* value="4"', html)


def test_no_simulation_is_loaded_with_the_web():
    import subprocess
    import sys

    code = (
        "import django, sys; django.setup(); import marketplace.urls; "
        "print([m for m in ('simpy', 'matplotlib', 'numpy') if m in sys.modules])"
    )
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin", "DEBUG": "true"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)

    assert done.stdout.strip() == "[]"
