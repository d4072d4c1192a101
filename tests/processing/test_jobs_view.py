from __future__ import annotations

import pytest

from apps.processing.models import Job
from apps.processing.queries import Segment, Timeline, TimelineLane
from apps.processing.timeline_svg import WIDTH, draw
from tests.processing.conftest import run_to_end


def fails(*positions: int):
    return lambda image: "truncated" if image.position in positions else ""


@pytest.fixture
def finished(alice, submit, controller, engine) -> Job:
    """Four photos, of which the second failed."""
    return run_to_end(controller, engine, submit(alice, count=4), fails(1))


def text(response) -> str:
    return response.content.decode()


# --- The list -----------------------------------------------------------------------------------------


def test_an_empty_list_teaches_the_next_step(alice_web):
    page = text(alice_web.get("/jobs/"))
    assert "A job runs an app over all photos of a folder." in page
    assert 'href="/studio/"' in page


def test_the_list_shows_ones_own_jobs(alice, bob, alice_web, submit):
    submit(alice, name="Harbour")
    submit(bob, name="Secret")
    page = text(alice_web.get("/jobs/"))
    assert "Harbour" in page
    assert "Secret" not in page


def test_search_and_status_filter(alice, alice_web, submit):
    submit(alice, name="Harbour")
    submit(alice, name="Mountains", app="ascii")
    jobs = alice_web.get("/jobs/?q=mount").context["page"].object_list
    assert [job.folder_name for job in jobs] == ["Mountains"]
    assert len(alice_web.get("/jobs/?status=queued").context["page"].object_list) == 2
    nothing = alice_web.get("/jobs/?status=failed")
    assert "No job matches this." in text(nothing)


def test_the_list_polls_only_while_something_is_going_on(alice, alice_web, submit):
    job = submit(alice)
    assert 'hx-trigger="every 1s"' in text(alice_web.get("/jobs/"))
    Job.objects.filter(pk=job.pk).update(status="cancelled")
    assert 'hx-trigger="every 1s"' not in text(alice_web.get("/jobs/"))


def test_the_list_costs_the_same_with_many_jobs(alice, alice_web, submit, django_assert_num_queries):
    submit(alice)
    # session, user, count, jobs, placements, first photos
    with django_assert_num_queries(6):
        alice_web.get("/jobs/")
    for number in range(4):
        submit(alice, name=f"Folder {number}")
    with django_assert_num_queries(6):
        alice_web.get("/jobs/")


def test_pages_keep_the_search(alice, alice_web, submit, monkeypatch):
    monkeypatch.setattr("apps.processing.views_jobs.PAGE_SIZE", 2)
    for number in range(3):
        submit(alice, name=f"Harbour {number}")
    assert 'href="?q=Harbour&amp;page=2"' in text(alice_web.get("/jobs/?q=Harbour"))


# --- Whose job ----------------------------------------------------------------------------------------

PAGES = ["", "live/", "results/"]
ACTIONS = ["cancel/", "retry/", "remove/"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_anothers_job_are_not_there(alice, bob_web, charlie_web, submit, path):
    job = submit(alice)
    assert bob_web.get(f"/jobs/{job.pk}/{path}").status_code == 404
    assert charlie_web.get(f"/jobs/{job.pk}/{path}").status_code == 302


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_else_can_do_anything_to_a_job(alice, bob_web, charlie_web, submit, action):
    job = submit(alice)
    before = Job.objects.values().get(pk=job.pk)
    assert bob_web.post(f"/jobs/{job.pk}/{action}").status_code == 404
    assert charlie_web.post(f"/jobs/{job.pk}/{action}").status_code == 302
    assert Job.objects.values().get(pk=job.pk) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_link_does_nothing(alice, alice_web, submit, action):
    job = submit(alice)
    assert alice_web.get(f"/jobs/{job.pk}/{action}").status_code == 405
    assert Job.objects.get(pk=job.pk).status == "queued"


# --- One job ------------------------------------------------------------------------------------------


def test_a_queued_job_says_its_place_and_what_it_waits_for(alice, alice_web, submit):
    job = submit(alice)
    response = alice_web.get(f"/jobs/{job.pk}/")
    reason = response.context["progress"].reason
    assert reason
    assert "Next in line." in text(response)
    assert reason in text(response)


def test_a_running_job_has_a_lane_a_node_and_its_failed_photos(alice, alice_web, submit, controller, engine):
    job = submit(alice, count=4)
    controller.tick()
    engine.work(1, fails(0))
    controller.tick()
    response = alice_web.get(f"/jobs/{job.pk}/live/")
    assert response["X-Job-Status"] == "running"
    page = text(response)
    assert 'class="lane node-1' in page
    for item in response.context["failed"]:
        assert f"<span>{item.document['error']['message']}</span>" in page


def test_a_finished_job_opens_on_its_pictures(alice_web, finished):
    response = alice_web.get(f"/jobs/{finished.pk}/")
    page = text(response)
    assert response.context["progress"].failed == 1
    assert page.index('id="pictures"') < page.index('id="live"')
    assert "It is truncated." in page
    assert "Retry failed" in page
    assert f'href="/drive/{finished.output_folder_id}/"' in page
    assert "timeline__block is-failed" in page


def test_a_finished_job_costs_the_same_with_many_photos(
    alice, alice_web, submit, controller, engine, django_assert_max_num_queries
):
    small = run_to_end(controller, engine, submit(alice, count=2, name="Small"), fails(0))
    large = run_to_end(controller, engine, submit(alice, count=12, name="Large"), fails(0, 3, 5))
    with django_assert_max_num_queries(40) as few:
        alice_web.get(f"/jobs/{small.pk}/")
    with django_assert_max_num_queries(40) as many:
        alice_web.get(f"/jobs/{large.pk}/")
    assert len(many) == len(few)


def test_options_that_were_chosen_come_first(alice, alice_web, submit):
    job = submit(alice, params={"mode": "otsu"})
    options = alice_web.get(f"/jobs/{job.pk}/").context["options"]
    assert options["chosen"] == [("mode", "otsu")]
    assert [name for name, _ in options["defaults"]] == ["contrast", "tile_folder"]


def test_cancel(alice, alice_web, submit):
    job = submit(alice)
    response = alice_web.post(f"/jobs/{job.pk}/cancel/", follow=True)
    assert Job.objects.get(pk=job.pk).status == "cancelled"
    assert "The job is cancelled. What was finished is kept." in text(response)


def test_a_finished_job_refuses_to_be_cancelled_and_says_so(alice_web, finished):
    response = alice_web.post(f"/jobs/{finished.pk}/cancel/", follow=True)
    assert Job.objects.get(pk=finished.pk).status == "succeeded"
    assert "The job has already succeeded. Its results are kept." in text(response)


def test_retry_queues_what_failed(alice_web, finished):
    response = alice_web.post(f"/jobs/{finished.pk}/retry/", {"key": "k1"}, follow=True)
    job = Job.objects.get(pk=finished.pk)
    assert (job.status, job.attempt, job.done) == ("queued", 2, 3)
    assert "The photos without a result are queued again." in text(response)


def test_a_form_sent_twice_retries_once(alice_web, finished):
    for _ in range(2):
        alice_web.post(f"/jobs/{finished.pk}/retry/", {"key": "k1"})
    assert Job.objects.get(pk=finished.pk).attempt == 2


def test_remove(alice_web, finished):
    response = alice_web.post(f"/jobs/{finished.pk}/remove/")
    assert response["Location"] == "/jobs/"
    assert not Job.objects.filter(pk=finished.pk).exists()


def test_a_job_at_work_is_not_removed(alice, alice_web, submit):
    job = submit(alice)
    response = alice_web.post(f"/jobs/{job.pk}/remove/", follow=True)
    assert Job.objects.filter(pk=job.pk).exists()
    assert "Cancel it before removing it." in text(response)


# --- The timeline's drawing ---------------------------------------------------------------------------


def test_nothing_to_draw():
    assert draw(Timeline(None, 0.0, [])) is None


def test_segments_are_placed_by_time():
    lanes = [
        TimelineLane("node-1", "w1", [Segment(0, 5, "ok", 3, "a.jpg"), Segment(5, 10, "failed", 1, "b.jpg")]),
        TimelineLane("node-2", "w2", [Segment(2, 4, "ok", 1, "c.jpg")]),
    ]
    drawing = draw(Timeline(None, 10.0, lanes))
    assert drawing
    first, second = drawing.rows[0].blocks
    assert (first.x, first.width, second.x, second.width) == (0, WIDTH / 2, WIDTH / 2, WIDTH / 2)
    assert (first.title, second.title) == (
        "a.jpg and 2 more: 0.00 s to 5.00 s",
        "b.jpg, failed: 5.00 s to 10.00 s",
    )
    assert [row.images for row in drawing.rows] == [4, 1]
    assert drawing.busy == pytest.approx(12 / 20)
    assert [tick.label for tick in drawing.ticks] == ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 3.0, 59.0, 3601.0, 1_000_000.0])
def test_there_are_never_too_many_ticks(seconds):
    lanes = [TimelineLane("node-1", "w", [Segment(0, seconds, "ok", 1, "a.jpg")])]
    drawing = draw(Timeline(None, seconds, lanes))
    assert drawing
    assert 1 <= len(drawing.ticks) <= 9
    assert all(0 <= tick.x <= WIDTH for tick in drawing.ticks)
