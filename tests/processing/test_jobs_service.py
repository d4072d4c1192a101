"""Quote, submit, cancel, retry, remove."""

from __future__ import annotations

import pytest

from apps.drive.models import Image
from apps.drive.services import quota
from apps.processing import folders
from apps.processing.documents import store
from apps.processing.models import Job, JobImage, Placement
from apps.processing.services import jobs, states
from apps.processing.services.jobs import JobRequest
from apps.processing.services.wakeup import bell
from marketplace.api import ApiError
from tests.processing.conftest import run_to_end


def refused(call, *args, **kwargs) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*args, **kwargs)
    return caught.value


# --- submit ---------------------------------------------------------------------------------------


def test_a_job_keeps_the_photos_as_they_are_now(alice, photos):
    folder = photos(alice, 3)
    trashed = folder.images.get(name="0001.jpg")
    Image.objects.filter(id=trashed.id).update(trashed_at="2026-01-01T00:00:00Z")

    job = jobs.submit(alice, JobRequest(app="bw", folder=folder.id, params={"mode": "otsu"}))
    folder.images.all().delete()

    assert (job.status, job.total, job.done, job.attempt) == ("queued", 2, 0, 1)
    assert job.params == {"mode": "otsu", "contrast": 0, "tile_folder": None}
    assert (job.app_title, job.folder_name, job.policy) == ("Black & white", "Harbour", "pull")
    rows = JobImage.objects.filter(job=job).order_by("position")
    assert [(row.position, row.name, row.pixels) for row in rows] == [
        (0, "0000.jpg", 1_000_000),
        (1, "0002.jpg", 1_000_000),
    ]
    assert job.estimated_seconds == pytest.approx(2 * (0.02 + 0.005))
    [event] = store().events(job.id)
    assert (event.kind, event.actor, event.data) == ("state", "alice@example.org", {"status": "queued"})


def test_assets_are_frozen(alice, photos):
    tiles = photos(alice, 2, "Tiles")
    hashes = sorted(tiles.images.values_list("sha256", flat=True))
    request = JobRequest(app="bw", folder=photos(alice).id, params={"tile_folder": tiles.id})
    job = jobs.submit(alice, request)
    tiles.images.all().delete()
    assert Job.objects.get(id=job.id).assets == {"tile_folder": hashes}


def test_options_of_single_photos(alice, photos):
    folder = photos(alice, 2)
    first = folder.images.get(name="0000.jpg")
    request = JobRequest(app="bw", folder=folder.id, image_params={first.id: {"mode": "otsu"}})
    job = jobs.submit(alice, request)
    assert list(JobImage.objects.filter(job=job).order_by("position").values_list("params", flat=True)) == [
        {"mode": "otsu", "contrast": 0, "tile_folder": None},
        None,
    ]


def test_submitting_rings_the_bell(alice, photos, django_capture_on_commit_callbacks):
    folder = photos(alice)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.submit(alice, JobRequest(app="bw", folder=folder.id))
    assert bell().wait(0.001) is True
    assert bell().wait(0.001) is False


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"params": {"mode": "sepia"}}, "invalid", ["mode"]),
        ({"policy": "best"}, "invalid", ["policy"]),
        ({"parallelism": -1}, "invalid", ["parallelism"]),
        ({"parallelism": 1001}, "invalid", ["parallelism"]),
        ({"image_params": {"nothing": {}}}, "invalid", ["image_params.nothing"]),
    ],
)
def test_refusals_store_nothing(alice, photos, changes, code, fields):
    folder = photos(alice)
    error = refused(jobs.submit, alice, JobRequest(**{"app": "bw", "folder": folder.id} | changes))
    assert (error.status_code, error.code, list(error.fields)) == (422, code, fields)
    assert not Job.objects.exists()


def test_bad_options_of_a_single_photo_are_named_with_it(alice, photos):
    folder, tiles = photos(alice, 1), photos(alice, 1, "Tiles")
    image = folder.images.get()
    request = JobRequest(
        app="bw", folder=folder.id, image_params={image.id: {"contrast": 2, "tile_folder": tiles.id}}
    )
    assert list(refused(jobs.submit, alice, request).fields) == [f"image_params.{image.id}.contrast"]
    request = JobRequest(app="bw", folder=folder.id, image_params={image.id: {"tile_folder": tiles.id}})
    assert list(refused(jobs.submit, alice, request).fields) == [f"image_params.{image.id}.tile_folder"]


def test_an_empty_folder_and_one_too_full(alice, photos, settings):
    error = refused(jobs.submit, alice, JobRequest(app="bw", folder=photos(alice, 0).id))
    assert (error.status_code, error.code) == (422, "empty_folder")
    settings.MAX_JOB_IMAGES = 2
    error = refused(jobs.submit, alice, JobRequest(app="bw", folder=photos(alice, 3, "Full").id))
    assert (error.status_code, error.code) == (422, "too_many_images")


def test_submitting_many_photos_takes_few_queries(alice, photos, django_assert_max_num_queries):
    folder = photos(alice, 120)
    with django_assert_max_num_queries(25):
        jobs.submit(alice, JobRequest(app="bw", folder=folder.id))


# --- the same once --------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_job(alice, bob, photos):
    request = JobRequest(app="bw", folder=photos(alice).id)
    first = jobs.submit(alice, request, key="k1")
    assert jobs.submit(alice, request, key="k1") == first
    assert jobs.submit(alice, request, key="k2") != first
    theirs = jobs.submit(bob, JobRequest(app="bw", folder=photos(bob).id), key="k1")
    assert theirs.owner == bob


def test_a_key_with_another_request_is_refused(alice, photos):
    folder = photos(alice)
    first = jobs.submit(alice, JobRequest(app="bw", folder=folder.id, params={"mode": "otsu"}), key="k1")
    for other in (
        JobRequest(app="bw", folder=folder.id),
        JobRequest(app="ascii", folder=folder.id, params={"mode": "otsu"}),
        JobRequest(app="bw", folder=folder.id, params={"mode": "otsu"}, parallelism=1),
    ):
        error = refused(jobs.submit, alice, other, key="k1")
        assert (error.status_code, error.code) == (409, "idempotency_key_reused")
    assert list(Job.objects.all()) == [first]


def test_the_order_of_options_makes_no_other_request(alice, photos):
    folder, options = photos(alice), {"mode": "otsu", "contrast": 0.5}
    first = jobs.submit(alice, JobRequest(app="bw", folder=folder.id, params=options), key="k")
    turned = dict(reversed(options.items()))
    assert jobs.submit(alice, JobRequest(app="bw", folder=folder.id, params=turned), key="k") == first


def test_a_key_whose_job_was_removed_starts_no_second_one(alice, photos):
    request = JobRequest(app="bw", folder=photos(alice).id)
    job = jobs.submit(alice, request, key="k")
    jobs.cancel(alice, job.id)
    jobs.remove(alice, job.id)
    error = refused(jobs.submit, alice, request, key="k")
    assert (error.status_code, error.code) == (409, "job_removed")
    assert not Job.objects.exists()


def test_a_key_is_forgotten_after_a_week(alice, photos, clock, controller):
    request = JobRequest(app="bw", folder=photos(alice).id)
    first = jobs.submit(alice, request, key="k")
    clock.move(7 * 86_400 - 60)
    controller._chores.forget_keys()
    assert jobs.submit(alice, request, key="k") == first
    clock.move(120)
    controller._chores.forget_keys()
    assert jobs.submit(alice, request, key="k") != first


def test_a_repeated_request_is_answered_whatever_has_changed_since(alice, photos, settings):
    folder = photos(alice)
    request = JobRequest(app="bw", folder=folder.id)
    first = jobs.submit(alice, request, key="k")
    folder.images.all().delete()
    settings.MAX_QUEUED_JOBS = 1
    assert jobs.submit(alice, request, key="k") == first


@pytest.mark.parametrize("key", ["x" * 81, "a\nb", "a\x00"])
def test_a_key_that_cant_be_used(alice, photos, key):
    error = refused(jobs.submit, alice, JobRequest(app="bw", folder=photos(alice).id), key=key)
    assert (error.code, list(error.fields)) == ("invalid", ["Idempotency-Key"])


# --- room ------------------------------------------------------------------------------------------


def test_without_room_in_the_drive_nothing_is_started(alice, bob, photos, submit):
    failed = submit(alice)
    Job.objects.update(status="failed")
    request = JobRequest(app="bw", folder=photos(alice, name="Other").id)
    used = quota.usage(alice).used
    alice.quota_bytes = used + 1
    jobs.quote(alice, request)
    alice.quota_bytes = used
    for call in (
        lambda: jobs.quote(alice, request),
        lambda: jobs.submit(alice, request),
        lambda: jobs.retry(alice, failed.id),
    ):
        error = refused(call)
        assert (error.status_code, error.code) == (413, "quota_exceeded")
    assert list(Job.objects.values_list("id", "status", "attempt")) == [(failed.id, "failed", 1)]
    assert jobs.submit(bob, JobRequest(app="bw", folder=photos(bob).id)).status == "queued"


def test_nobody_queues_without_end(alice, bob, photos, submit, settings):
    settings.MAX_QUEUED_JOBS = 2
    failed = submit(alice)
    Job.objects.update(status="failed")
    running = submit(alice, name="Running")
    Job.objects.filter(id=running.id).update(status="running")
    first, _ = submit(alice, name="First"), submit(alice, name="Second")
    request = JobRequest(app="bw", folder=photos(alice, name="Third").id)
    for call in (
        lambda: jobs.quote(alice, request),
        lambda: jobs.submit(alice, request),
        lambda: jobs.retry(alice, failed.id),
    ):
        error = refused(call)
        assert (error.status_code, error.code, error.wait) == (429, "too_many", 30)
    assert Job.objects.filter(owner=alice).count() == 4
    submit(bob)
    jobs.cancel(alice, first.id)
    assert jobs.retry(alice, failed.id).attempt == 2


# --- quote ----------------------------------------------------------------------------------------


def test_a_quote_stores_nothing(alice, photos, engine):
    engine.sync_nodes()
    quote = jobs.quote(alice, JobRequest(app="bw", folder=photos(alice, 4).id))
    assert (quote.images, quote.price, quote.queue_position) == (4, 0, 1)
    assert quote.eta_seconds == pytest.approx(4 * 0.025 / 2)
    assert not Job.objects.exists()


def test_a_quote_counts_the_jobs_ahead(alice, bob, photos, submit, engine):
    engine.sync_nodes()
    submit(bob, count=8)
    quote = jobs.quote(alice, JobRequest(app="bw", folder=photos(alice, 4).id, parallelism=1))
    assert quote.queue_position == 2
    assert quote.eta_seconds == pytest.approx(8 * 0.025 / 2 + 4 * 0.025)


def test_without_nodes_a_quote_knows_no_time(alice, photos):
    assert jobs.quote(alice, JobRequest(app="bw", folder=photos(alice).id)).eta_seconds is None


def test_a_quote_refuses_what_submit_refuses(alice, photos):
    assert refused(jobs.quote, alice, JobRequest(app="bw", folder=photos(alice, 0).id)).code == "empty_folder"


# --- cancel ---------------------------------------------------------------------------------------


def test_cancelling_a_queued_job(alice, submit, controller, engine):
    job = submit(alice)
    jobs.cancel(alice, job.id)
    controller.tick()
    job.refresh_from_db()
    assert (job.status, job.reason) == ("cancelled", "Cancelled before it started.")
    assert job.finished is not None
    assert not Placement.objects.exists()


def test_cancelling_a_running_job_keeps_what_is_done(alice, submit, controller, engine):
    job = submit(alice, count=8)
    controller.tick()
    engine.work(1)

    jobs.cancel(alice, job.id)
    job.refresh_from_db()
    assert (job.status, job.reason) == ("running", "Stopping: the photos in hand are finished first.")
    controller.tick()
    job.refresh_from_db()
    assert job.status == "running"  # its workers have not left yet
    engine.work()
    controller.tick()

    job.refresh_from_db()
    assert (job.status, job.done) == ("cancelled", 2)
    assert job.reason == "Cancelled: 2 of 8 photos were done and are kept."
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 2
    assert {p.state for p in Placement.objects.filter(job=job)} == {"exited"}


def test_cancelling_when_the_workers_are_dead(alice, submit, controller, engine):
    job = submit(alice, count=8)
    controller.tick()
    jobs.cancel(alice, job.id)
    for worker in engine.running():
        worker.die()
    controller.tick()
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not engine.running()


def test_cancelling_twice_is_no_error(alice, submit, controller, engine):
    queued, running = submit(alice), submit(alice, name="Other")
    for job in (queued, running):
        jobs.cancel(alice, job.id)
        assert jobs.cancel(alice, job.id).status == "cancelled"
    started = submit(alice, name="Third")
    controller.tick()
    jobs.cancel(alice, started.id)
    assert jobs.cancel(alice, started.id).status == "running"


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_cancelling_a_finished_job_is_a_conflict(alice, submit, status):
    job = submit(alice)
    Job.objects.filter(id=job.id).update(status=status)
    error = refused(jobs.cancel, alice, job.id)
    assert (error.status_code, error.code) == (409, "finished")
    assert Job.objects.get(id=job.id).status == status


def test_a_job_whose_last_photo_was_done_meanwhile_has_succeeded(alice, submit, controller, engine):
    job = submit(alice, count=2)
    controller.tick()
    engine.work()
    jobs.cancel(alice, job.id)
    controller.tick()
    job.refresh_from_db()
    assert (job.status, job.done) == ("succeeded", 2)


# --- retry ----------------------------------------------------------------------------------------


def test_retry_runs_the_failed_photos_only(alice, submit, controller, engine):
    job = submit(alice, count=4)
    run_to_end(controller, engine, job, lambda image: "truncated" if image.position < 2 else "")
    kept = {one["image"]: one for one in store().page(job.id) if one["status"] == "ok"}
    seen = []

    jobs.retry(alice, job.id)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.done, job.failed, job.done_before) == ("queued", 2, 2, 0, 2)
    run_to_end(controller, engine, job, lambda image: seen.append(image.position) or "")

    assert sorted(seen) == [0, 1]
    assert (job.status, job.done, job.failed) == ("succeeded", 4, 0)
    docs = {one["image"]: one for one in store().page(job.id)}
    assert {image: docs[image] for image in kept} == kept
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 4
    assert Image.objects.filter(folder=job.output_folder).count() == 4


def test_retry_after_the_job_folder_was_deleted(alice, submit, controller, engine):
    job = submit(alice, count=3)
    run_to_end(controller, engine, job, lambda image: "truncated" if image.position == 0 else "")
    engine.cleanup(job.id)
    jobs.retry(alice, job.id)
    run_to_end(controller, engine, job)
    assert (job.status, job.done, job.failed) == ("succeeded", 3, 0)


def test_old_failures_do_not_come_back_when_everything_is_read_again(alice, submit, controller, engine):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job, lambda image: "truncated" if image.position == 0 else "")
    jobs.retry(alice, job.id)
    controller._ingests.clear()  # as after a restart
    run_to_end(controller, engine, job)
    assert (job.status, job.failed) == ("succeeded", 0)


def test_the_controller_deletes_failures_if_retry_could_not(alice, submit, controller, engine, monkeypatch):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job, lambda image: "truncated" if image.position == 0 else "")
    with monkeypatch.context() as patch:
        patch.setattr(type(store()), "delete", lambda *args, **kwargs: 0)  # killed before it got there
        jobs.retry(alice, job.id)
    run_to_end(controller, engine, job)
    assert (job.status, job.done, job.failed) == ("succeeded", 2, 0)


def test_retrying_a_cancelled_job_goes_on_where_it_was(alice, submit, controller, engine):
    job = submit(alice, count=8)
    controller.tick()
    engine.work(1)
    jobs.cancel(alice, job.id)
    run_to_end(controller, engine, job)
    assert job.status == "cancelled"
    done = job.done

    jobs.retry(alice, job.id)
    seen = []
    run_to_end(controller, engine, job, lambda image: seen.append(image.image) or "")

    assert (job.status, job.done) == ("succeeded", 8)
    assert len(seen) == len(set(seen)) == 8 - done


def test_a_key_retries_once(alice, submit, controller, engine):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job, lambda image: "truncated")
    jobs.retry(alice, job.id, key="again")
    run_to_end(controller, engine, job, lambda image: "truncated")
    assert jobs.retry(alice, job.id, key="again").attempt == 2
    assert Job.objects.get(id=job.id).status == "failed"
    assert jobs.retry(alice, job.id, key="once more").attempt == 3
    run_to_end(controller, engine, job, lambda image: "truncated")
    for key in ("again", "once more"):  # a late repetition of either
        assert jobs.retry(alice, job.id, key=key).attempt == 3
    assert Job.objects.get(id=job.id).status == "failed"


def test_a_key_is_used_once_for_each_job(alice, photos, submit):
    first, second = submit(alice), submit(alice, name="Other")
    Job.objects.update(status="failed")
    assert [jobs.retry(alice, job.id, key="k").attempt for job in (first, second)] == [2, 2]


def test_a_retry_that_was_refused_does_not_use_up_its_key(alice, submit, controller, engine):
    job = submit(alice, count=1)
    assert refused(jobs.retry, alice, job.id, key="k").code == "not_finished"
    run_to_end(controller, engine, job, lambda image: "truncated")
    assert jobs.retry(alice, job.id, key="k").attempt == 2


def test_retry_refusals(alice, submit, controller, engine, apps):
    job = submit(alice, count=1)
    error = refused(jobs.retry, alice, job.id)
    assert (error.status_code, error.code) == (409, "not_finished")
    run_to_end(controller, engine, job)
    error = refused(jobs.retry, alice, job.id)
    assert (error.status_code, error.code) == (409, "nothing_to_retry")

    bad = submit(alice, count=1, name="Bad")
    run_to_end(controller, engine, bad, lambda image: "truncated")
    apps.write_text('{"processors": []}')
    error = refused(jobs.retry, alice, bad.id)
    assert (error.status_code, error.code) == (409, "app_gone")
    assert Job.objects.get(id=bad.id).status == "failed"


# --- remove ---------------------------------------------------------------------------------------


def test_removing_keeps_the_results_in_the_drive(alice, submit, controller, engine):
    job = submit(alice, count=2)
    error = refused(jobs.remove, alice, job.id)
    assert (error.status_code, error.code) == (409, "not_finished")
    run_to_end(controller, engine, job)

    jobs.remove(alice, job.id)

    assert not Job.objects.exists()
    assert not JobImage.objects.exists()
    assert store().known(job.id) == set()
    assert store().events(job.id) == []
    assert Image.objects.filter(origin__startswith=f"job:{job.id}:").count() == 2
    assert folders.path_of(job.id).exists()  # the controller deletes it


# --- the table of transitions ---------------------------------------------------------------------


@pytest.mark.parametrize("before", Job.Status.values)
@pytest.mark.parametrize("after", Job.Status.values)
def test_only_what_the_table_says_can_follow(alice, submit, before, after):
    job = submit(alice, count=1)
    Job.objects.filter(id=job.id).update(status=before)
    allowed = after in states.TRANSITIONS[before]
    assert states.move(job, after, reason="why") is allowed
    assert Job.objects.get(id=job.id).status == (after if allowed else before)


def test_a_change_meant_for_an_earlier_attempt_does_nothing(alice, submit):
    job = submit(alice, count=1)
    Job.objects.filter(id=job.id).update(attempt=2, status="running")
    assert states.move(job, "failed") is False
    assert Job.objects.get(id=job.id).status == "running"
