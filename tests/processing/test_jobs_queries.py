"""What pages read: progress, lanes, timeline, results."""

from __future__ import annotations

import pytest

from apps.drive.models import Image
from apps.processing import queries
from apps.processing.documents import store
from apps.processing.models import AppTiming, Job, Placement
from apps.processing.services import estimates
from apps.processing.services.estimates import Board
from tests.processing.conftest import run_to_end


@pytest.fixture
def job(alice, submit, controller, engine) -> Job:
    job = submit(alice, count=6)
    return run_to_end(controller, engine, job, lambda image: "corrupt" if image.position == 4 else "")


def test_progress_of_a_running_job_shows_each_nodes_chunk(alice, submit, controller, engine):
    job = submit(alice, count=12)
    controller.tick()
    engine.work(1)
    controller.tick()

    now = queries.progress(queries.job_for_page(alice, job.id))

    assert (now.status, now.total, now.done, now.failed, now.percent) == ("running", 12, 2, 0, 16)
    assert [(lane.node, lane.state, lane.done) for lane in now.lanes] == [
        ("node-1", "running", 1),
        ("node-2", "running", 1),
    ]
    for lane in now.lanes:
        assert lane.chunk.startswith("1-000")
        assert (lane.chunk_done, lane.chunk_total > 1) == (1, True)
    assert now.queue_position is None
    assert now.eta_seconds == pytest.approx(10 / 12 * job.estimated_seconds / 2, rel=20)


def test_a_running_job_without_a_worker_says_what_it_waits_for(alice, submit, controller, engine):
    job = submit(alice, count=12)
    controller.tick()
    for worker in engine.running():
        worker.die()
    engine.slots = {}
    controller.tick()
    now = queries.progress(queries.job_for_page(alice, job.id))
    assert now.reason == "No node is alive: the job goes on as soon as one is."
    assert now.eta_seconds is None
    assert {lane.state for lane in now.lanes} == {"lost"}


def test_a_job_whose_workers_all_wait_says_for_what(alice, submit, controller, engine):
    job = submit(alice, count=12)
    controller.tick()
    workers = Placement.objects.filter(job=job).order_by("id")
    workers.update(state="placed")
    workers.filter(id=workers[1].id).update(reason="The quota jobs is used up.")
    assert (
        queries.progress(queries.job_for_page(alice, job.id)).reason == "Waiting: The quota jobs is used up."
    )

    workers.filter(id=workers[0].id).update(state="running")

    now = queries.progress(queries.job_for_page(alice, job.id))
    assert now.reason == ""  # the job is at work; the lane tells what its other node waits for
    assert [lane.reason for lane in now.lanes] == ["", "The quota jobs is used up."]


def test_a_node_with_several_workers_is_one_lane(alice, submit, controller, engine):
    engine.slots = {"node-1": 1}
    job = submit(alice, count=6)
    controller.tick()
    engine.work(1)
    engine.running()[0].die()
    run_to_end(controller, engine, job)
    [lane] = queries.progress(queries.job_for_page(alice, job.id)).lanes
    assert (lane.node, lane.state, lane.done) == ("node-1", "exited", 6)
    assert Placement.objects.count() == 2


def test_the_timeline_has_every_photo_on_its_node(job):
    timeline = queries.timeline(job)
    assert [lane.node for lane in timeline.lanes] == ["node-1", "node-2"]
    segments = [segment for lane in timeline.lanes for segment in lane.segments]
    assert sum(segment.images for segment in segments) == 6
    assert [segment.name for segment in segments if segment.status == "failed"] == ["0004.jpg"]
    assert min(segment.start for segment in segments) == 0
    assert max(segment.end for segment in segments) == pytest.approx(timeline.seconds, abs=0.001)


def test_a_long_timeline_is_merged(job):
    [doc] = store().page(job.id, limit=1)
    times = [{"started": 100.0 + number, "finished": 101.0 + number} for number in range(1000)]
    more = [
        doc | {"image": f"i{number}", "position": 10 + number} | time for number, time in enumerate(times)
    ]
    store().save_many(more)
    timeline = queries.timeline(job, segments=50)
    segments = [segment for lane in timeline.lanes for segment in lane.segments]
    assert len(segments) <= 50 + len(timeline.lanes)
    assert sum(segment.images for segment in segments) == 1006
    assert sum(segment.status == "failed" for segment in segments) == 1


def test_the_timeline_of_a_job_that_has_not_begun(alice, submit):
    assert queries.timeline(submit(alice)) == queries.Timeline(None, 0.0, [])


def test_results_come_with_both_photos(job):
    page = queries.results_page(job, limit=4)
    assert page.after == 3
    for item in page.items:
        assert item.input.id == item.document["image"]
        assert item.output.id == item.document["output_image"]
        assert [one.media_type for one in item.output.attachments.all()] == ["text/plain"]
    rest = queries.results_page(job, after=page.after, limit=4)
    assert (len(rest.items), rest.after) == (2, None)
    assert (rest.items[0].output, rest.items[0].document["error"]["code"]) == (None, "corrupt")


def test_trashed_photos_are_missing_not_wrong(job):
    Image.objects.filter(origin__startswith="job:").update(trashed_at=job.created)
    Image.objects.filter(name="0000.jpg").delete()
    first = queries.results_page(job).items[0]
    assert (first.input, first.output) == (None, None)


def test_anothers_photo_is_never_shown(job, bob, photos):
    theirs = photos(bob, 1).images.get()
    [doc] = store().page(job.id, limit=1)
    store().save_many([doc | {"image": theirs.id, "position": 99, "output_image": theirs.id}])
    last = queries.results_page(job).items[-1]
    assert (last.input, last.output) == (None, None)


def test_results_cost_the_same_for_few_and_for_many(job, django_assert_num_queries):
    for limit in (1, 6):
        with django_assert_num_queries(3):
            queries.results_page(job, limit=limit)


def test_the_failed_ones(job):
    [item] = queries.failed_of(job)
    assert item.document["error"] == {"code": "corrupt", "message": "It is corrupt."}
    assert queries.result_counts(job).failed == 1


def test_estimates_use_what_was_measured(alice, submit):
    AppTiming.objects.create(app="bw", node="node-1", seconds_per_megapixel=0.4, images=10)
    AppTiming.objects.create(app="bw", node="node-2", seconds_per_megapixel=0.6, images=10)
    assert estimates.work("bw", [2_000_000]) == pytest.approx(1.005)
    assert estimates.work("gone", [1_000_000]) == pytest.approx(0.025)


def test_a_running_jobs_own_pace_is_trusted_once_there_is_one(alice, submit, clock, engine):
    job = submit(alice, count=10)
    engine.sync_nodes()
    job.status, job.started, job.done = "running", clock.now(), 5
    job.finished = None
    assert estimates.images_per_second(job) > 0
    job.done_before = 1
    assert estimates.images_per_second(job) is None
    assert estimates.eta(job, Board.now(), workers=1) == pytest.approx(5 * 0.025)


def test_places_in_the_queue_are_by_age(alice, bob, photos, submit, engine, django_assert_num_queries):
    engine.sync_nodes()
    running = submit(bob, count=8, name="Running")
    Job.objects.filter(id=running.id).update(status="running", done=4)
    asked = [(bob, 2), (alice, 4), (bob, 1), (alice, 6)]
    ids = [submit(owner, count=count, name=f"Of {count}").id for owner, count in asked]
    ended = submit(alice, count=1, name="Ended")
    Job.objects.filter(id=ended.id).update(status="failed")
    mine = list(queries.jobs_of(alice))

    with django_assert_num_queries(3):  # sums, places, nodes: for any number of jobs
        board = Board.now(mine)

    waiting = {job.id: board.waiting(job) for job in mine if job.status == "queued"}
    assert [waiting[id_].position for id_ in (ids[1], ids[3])] == [2, 4]
    assert waiting[ids[1]].seconds == pytest.approx((4 + 2) * 0.025 / 2)
    assert waiting[ids[3]].seconds == pytest.approx((4 + 2 + 4 + 1) * 0.025 / 2)
    assert waiting[ids[3]].reason == "Waiting: 2 nodes are busy with 4 jobs ahead."
    assert board.waiting().position == 5
    assert board.waiting().seconds == pytest.approx((4 + 2 + 4 + 1 + 6) * 0.025 / 2)


def test_places_of_the_same_moment_are_by_id(alice, submit, clock):
    ids = sorted(submit(alice, name=f"Folder {number}").id for number in range(3))
    Job.objects.update(queued_at=clock.now())
    rows = Job.objects.order_by("id")
    board = Board.now(rows)
    assert [(job.id, board.waiting(job).position) for job in rows] == list(zip(ids, (1, 2, 3), strict=True))
