"""The controller from submit to the end, on the fake engine."""

from __future__ import annotations

from functools import partial

import pytest

import jobfolder
from apps.drive.models import Attachment, Folder, Image
from apps.processing.controller import care
from apps.processing.documents import store
from apps.processing.documents.base import Filters
from apps.processing.models import AppTiming, Job, Placement
from apps.processing.services import jobs
from tests.processing.conftest import make_controller, run_to_end


def test_a_job_runs_on_both_nodes_and_its_results_enter_the_drive(alice, submit, controller, engine):
    job = submit(alice, count=20)

    run_to_end(controller, engine, job)

    assert (job.status, job.reason, job.done, job.failed) == ("succeeded", "", 20, 0)
    assert {p.node for p in Placement.objects.filter(job=job)} == {"node-1", "node-2"}
    folder = Folder.objects.get(origin=f"job:{job.id}")
    assert (folder.name, folder.parent_id, folder.owner) == ("Harbour · Black & white", None, alice)
    assert job.output_folder == folder
    assert Image.objects.filter(folder=folder).count() == 20
    assert Attachment.objects.filter(image__folder=folder).count() == 20
    assert sorted(Image.objects.filter(folder=folder).values_list("name", flat=True))[0] == "0000.png"
    assert len(store().known(job.id)) == 20
    assert sum(p.done for p in Placement.objects.filter(job=job)) == 20
    kinds = [event.data.get("status") for event in store().events(job.id) if event.kind == "state"]
    assert kinds == ["queued", "running", "succeeded"]


def test_thumbnails_of_the_results_are_asked_for_once_at_the_end(
    alice, submit, controller, engine, monkeypatch
):
    asked = []
    monkeypatch.setattr(care, "enqueue_folder", asked.append)
    job = submit(alice, count=20)
    controller.tick()
    engine.work(1)
    controller.tick()
    assert asked == []

    run_to_end(controller, engine, job)

    assert asked == [job.output_folder_id]


def test_the_output_folder_lies_beside_the_input_folder(alice, photos, controller, engine):
    top = Folder.objects.create(owner=alice, name="Trips")
    folder = photos(alice, 1, parent=top)
    job = jobs.submit(alice, jobs.JobRequest(app="bw", folder=folder.id))

    run_to_end(controller, engine, job)

    assert job.output_folder.parent == top


def test_a_job_of_one_photo_takes_one_worker_and_four_looks(alice, submit, controller, engine):
    job = submit(alice, count=1)
    controller.tick()
    engine.work()
    controller.tick()
    job.refresh_from_db()
    assert job.status == "succeeded"
    assert Placement.objects.filter(job=job).count() == 1


def test_bad_photos_fail_alone_with_their_reason(alice, submit, controller, engine):
    job = submit(alice, count=4)

    run_to_end(controller, engine, job, lambda image: "truncated" if image.position == 2 else "")

    assert (job.status, job.done, job.failed) == ("succeeded", 4, 1)
    assert job.reason == "1 of 4 photos could not be processed."
    [doc] = store().page(job.id, Filters(status="failed"))
    assert doc["position"] == 2
    assert doc["error"] == {"code": "truncated", "message": "It is truncated."}
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 3


def test_a_job_without_any_result_has_failed_and_says_why(alice, submit, controller, engine):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job, lambda image: "corrupt")
    assert (job.status, job.reason) == ("failed", "No photo could be processed. It is corrupt.")
    assert not Folder.objects.filter(origin=f"job:{job.id}").exists()


def test_without_a_node_a_job_waits_and_then_starts(alice, submit, controller, engine):
    engine.slots = {}
    job = submit(alice, count=1)
    controller.tick()
    job.refresh_from_db()
    assert job.status == "queued"
    assert not Placement.objects.exists()

    engine.slots = {"node-1": 1}
    run_to_end(controller, engine, job)
    assert job.status == "succeeded"


def test_parallelism_one_uses_one_node(alice, submit, controller, engine):
    job = submit(alice, count=20, parallelism=1)
    for _ in range(5):
        controller.tick()
        engine.work(1)
        assert len(engine.running()) <= 1
    run_to_end(controller, engine, job)
    assert len({p.node for p in Placement.objects.filter(job=job)}) == 1


def test_a_dead_workers_photos_go_to_another(alice, submit, controller, engine):
    job = submit(alice, count=12)
    controller.tick()
    first, _ = engine.running()
    first.work(1)
    if first.chunk is None:
        first.claim()
    first.die()

    run_to_end(controller, engine, job)

    assert (job.status, job.done, job.failed) == ("succeeded", 12, 0)
    placement = Placement.objects.get(worker=first.spec.worker)
    assert (placement.state, placement.reason) == ("lost", "No sign of life for 6 s.")
    lost = [event for event in store().events(job.id) if event.kind == "worker_lost"]
    assert [event.data["worker"] for event in lost] == [first.spec.worker]
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 12


def test_a_node_that_lost_a_worker_is_avoided_while_others_are_free(alice, submit, controller, engine):
    engine.slots = {"node-1": 1}
    job = submit(alice, count=6)
    controller.tick()
    engine.running()[0].die()
    engine.slots = {"node-1": 1, "node-2": 1}
    job.parallelism = 1
    job.save()

    controller.tick()

    assert [worker.spec.node for worker in engine.running()] == ["node-2"]


def test_what_a_zombie_claims_is_given_back_when_it_dies_again(alice, submit, controller, engine):
    engine.slots = {"node-1": 1}
    job = submit(alice, count=6)
    controller.tick()
    [worker] = engine.running()
    worker.die()
    controller.tick()
    worker.state = "running"  # its node was only cut off
    worker.claim()
    controller.tick()
    assert worker.spec.worker in {claim.worker for claim in jobfolder.claims(worker.folder)}
    worker.die()

    run_to_end(controller, engine, job)

    assert (job.status, job.done) == ("succeeded", 6)


def test_a_lost_result_line_is_made_again(alice, submit, controller, engine):
    job = submit(alice, count=3, parallelism=1)
    controller.tick()
    [worker] = engine.running()
    worker.work()
    results = worker.folder / "results"
    victim = sorted(results.iterdir())[0]
    victim.write_text("{torn")

    run_to_end(controller, engine, job)

    assert (job.status, job.done, job.failed) == ("succeeded", 3, 0)


def test_a_photo_that_never_gets_a_result_is_given_up(alice, submit, controller, engine):
    job = submit(alice, count=2)
    for _ in range(40):
        controller.tick()
        for worker in engine.running():
            while worker.claim():  # takes chunks, says nothing
                jobfolder.chunks.finish(worker.folder, worker.chunk.name, worker.spec.worker)
            worker.work()
        job.refresh_from_db()
        if job.status == "failed":
            break
    assert (job.status, job.failed) == ("failed", 2)
    assert store().page(job.id)[0]["error"]["code"] == "no_result"


def test_a_job_that_no_worker_can_run_fails_with_their_reason(alice, submit, controller, engine):
    job = submit(alice, count=2)
    for _ in range(10):
        controller.tick()
        for worker in engine.running():
            worker.refuse("this node has no app called 'bw'")
        job.refresh_from_db()
    assert job.status == "failed"
    assert job.reason == "The job could not be run: this node has no app called 'bw'"


def test_a_deleted_job_folder_is_made_again(alice, submit, controller, engine):
    job = submit(alice, count=8)
    controller.tick()
    engine.work(1)
    controller.tick()
    engine.cleanup(job.id)

    run_to_end(controller, engine, job)

    assert (job.status, job.done) == ("succeeded", 8)
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 8


def test_the_app_is_learnt_from(alice, submit, controller, engine):
    job = submit(alice, count=10, parallelism=1)
    run_to_end(controller, engine, job)
    [timing] = AppTiming.objects.filter(app="bw")
    assert timing.images == 10
    assert timing.seconds_per_megapixel == pytest.approx(0.5, abs=0.05)


def test_an_idle_tick_is_a_handful_of_queries(controller, django_assert_max_num_queries, engine, clock):
    controller.tick()
    engine.sync_nodes = lambda: None  # the engine's own cost
    clock.move(2)
    with django_assert_max_num_queries(3):
        controller.tick()


def test_every_chore_is_done_soon_after_a_start(controller, clock):
    """Also by a controller that is restarted again and again."""
    chores, done = controller._chores, []
    chores._table = [(every, partial(done.append, chore.__name__)) for every, chore in chores._table]
    clock.move(61)
    for _ in chores._table:
        chores.run()
    own = ["clean_finished", "clean_orphans", "purge_drive", "forget_keys", "forget_tries"]
    own += ["resume_benchmarks", "sweep_engine"]
    assert sorted(done) == sorted([*own, "settle_money", "resume_intake", "sweep_catalog"])
    chores.run()
    assert len(done) == len(chores._table)


def test_chores_that_are_due_at_every_tick_take_turns(controller, clock):
    chores, done = controller._chores, []
    chores._table = [(0.5, partial(done.append, name)) for name in "ab"]
    chores._due = [0.0, 0.0]
    for _ in range(6):
        clock.move(0.6)
        chores.run()
    assert "".join(done) in ("ababab", "bababa")


def test_two_controllers_one_acts(alice, submit, controller, engine, clock):
    second = make_controller(engine, clock)
    controller.tick()
    job = submit(alice, count=2)
    second.tick()
    assert Job.objects.get(id=job.id).status == "queued"
    controller.tick()
    assert Job.objects.get(id=job.id).status == "running"


def test_two_controllers_that_both_act_do_no_harm(alice, submit, controller, engine, clock, monkeypatch):
    second = make_controller(engine, clock)
    monkeypatch.setattr(second._lease, "hold", lambda: True)
    job = submit(alice, count=12)
    for _ in range(60):
        controller.tick()
        engine.work(1)
        second.tick()
        job.refresh_from_db()
        if job.status == "succeeded":
            break
    assert (job.status, job.done, job.failed) == ("succeeded", 12, 0)
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 12
    assert Folder.objects.filter(origin=f"job:{job.id}").count() == 1
