"""Exactly once: ingest is cut off at every line it has, and run again."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from django.db import connection, transaction

from apps.drive import storage
from apps.drive.models import Attachment, Folder, Image
from apps.drive.services import ingest as drive_ingest
from apps.processing import folders
from apps.processing.controller import ingest as module
from apps.processing.controller import results
from apps.processing.controller.ingest import Ingest
from apps.processing.documents import sql, store
from apps.processing.documents.base import Filters
from apps.processing.models import Finding, Job, Placement
from jobfolder import ChunkImage
from tests.processing.conftest import make_controller, run_to_end
from tests.processing.fakes import FakeWorker


class Killed(BaseException):
    """As a signal would: no `except Exception` stops it."""


Line = tuple[str, int]


@contextmanager
def killed_at(line: Line | None) -> Iterator[list[Line]]:
    """Raise Killed when the code of ingest, or of what it calls in drive and store, first comes to `line`.
    Yields the list of lines, each as it is first come to."""
    files = {one.__file__ for one in (module, results, drive_ingest, sql)}
    seen: dict[Line, None] = {}
    order: list[Line] = []

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        here = (frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and here not in seen:
            seen[here] = None
            order.append(here)
            if here == line:
                raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield order
    finally:
        sys.settrace(before)


@pytest.fixture
def finished_work(alice, submit, controller, engine) -> Job:
    """A job whose two workers have done everything, and of which nothing has been taken in."""
    job = submit(alice, count=4)
    controller.tick()
    engine.work(outcome=_second_is_bad)
    job.refresh_from_db()
    return job


def _second_is_bad(image: ChunkImage) -> str:
    return "corrupt" if image.position == 1 else ""


def assert_all_in(job: Job, ok: int = 3) -> None:
    job.refresh_from_db()
    assert (job.done, job.failed) == (ok + 1, 1)
    assert store().status_counts(job.id) == (ok, 1)
    results_in_drive = Image.objects.filter(origin__startswith=f"job:{job.id}:")
    assert results_in_drive.count() == ok
    assert Attachment.objects.filter(image__in=results_in_drive).count() == ok
    assert Folder.objects.filter(origin=f"job:{job.id}").count() == 1
    by_id = {image.id: image for image in results_in_drive}
    for doc in store().page(job.id, Filters(status="ok")):
        assert by_id.pop(doc["output_image"]).origin == f"job:{job.id}:{doc['image']}"
    assert sum(p.done for p in Placement.objects.filter(job=job)) == ok + 1
    assert not list((folders.path_of(job.id) / "output").iterdir())


@contextmanager
def as_if_never_committed() -> Iterator[None]:
    """Killed may strike between the last line of a `with` and its end, so that Django's own bookkeeping is
    left behind. A killed process leaves a transaction that the database rolls back."""
    savepoints, blocks = list(connection.savepoint_ids), list(connection.atomic_blocks)
    try:
        yield
    except Killed:
        if dangling := connection.savepoint_ids[len(savepoints) :]:
            connection.savepoint_rollback(dangling[0])
        connection.savepoint_ids, connection.atomic_blocks = savepoints, blocks
        connection.needs_rollback = False


def test_cut_off_at_any_line_and_run_again_everything_is_in_once(
    alice, submit, controller, engine, settings, monkeypatch
):
    """Each try starts from the same moment and is cut off one line later than the one before."""
    job = submit(alice, count=2)
    controller.tick()
    engine.work(outcome=_second_is_bad)
    monkeypatch.setattr(storage, "_sync", lambda path: None)  # hundreds of waits for the disk
    kept = settings.DATA_DIR.with_name("kept")
    shutil.copytree(settings.DATA_DIR, kept)
    moment = transaction.savepoint()
    with killed_at(None) as lines:
        Ingest().run(Job.objects.get(id=job.id))
    assert len(lines) > 100

    for line in lines:
        transaction.savepoint_rollback(moment)
        shutil.rmtree(settings.DATA_DIR)
        shutil.copytree(kept, settings.DATA_DIR)
        with as_if_never_committed(), killed_at(line):
            Ingest().run(Job.objects.get(id=job.id))
            raise AssertionError(f"{line} was not come to again")
        Ingest().run(Job.objects.get(id=job.id))
        assert_all_in(job, ok=1)


@pytest.mark.parametrize("step", [step.__name__ for step in module.STEPS])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_a_step_a_new_process_goes_on(finished_work, monkeypatch, step, moment):
    job = finished_work

    def killed(batch: module.Pass) -> None:
        if moment == "after":
            original(batch)
        raise Killed

    original = next(one for one in module.STEPS if one.__name__ == step)
    with monkeypatch.context() as patch:
        patch.setattr(module, "STEPS", tuple(killed if one is original else one for one in module.STEPS))
        with pytest.raises(Killed):
            Ingest().run(job)
    Ingest().run(Job.objects.get(id=job.id))
    assert_all_in(job)


def test_the_same_process_goes_on_after_an_error(finished_work, monkeypatch):
    ingest = Ingest()
    with monkeypatch.context() as patch:
        patch.setattr(module, "STEPS", (*module.STEPS[:2], _full_disk))
        with pytest.raises(OSError, match="full"):
            ingest.run(finished_work)
    ingest.run(finished_work)
    assert_all_in(finished_work)


def _full_disk(batch: module.Pass) -> None:
    raise OSError("the disk is full")


def test_reading_again_from_the_start_changes_nothing(finished_work):
    for _ in range(3):
        Ingest().run(finished_work)
    assert_all_in(finished_work)


def test_two_that_ingest_in_turns_take_everything_in_once(finished_work):
    first, second = Ingest(), Ingest()
    job = finished_work
    a, b = module.Pass(job, {}), module.Pass(Job.objects.get(id=job.id), {})
    for batch in (a, b):
        module.read(batch)
    for step in module.STEPS:
        step(a)
        step(b)
    assert len(a.saved) + len(b.saved) == 4
    first.run(job)
    second.run(job)
    assert_all_in(job)


def test_counters_catch_up_after_a_kill_between_save_and_count(finished_work, engine, clock):
    job = finished_work
    batch = module.Pass(job, {})
    module.read(batch)
    for step in module.STEPS[:3]:
        step(batch)
    job.refresh_from_db()
    assert job.done == 0

    make = make_controller(engine, clock)
    make._lease.hold = lambda: True
    make.tick()

    job.refresh_from_db()
    assert (job.status, job.done, job.failed) == ("succeeded", 4, 1)


def test_few_results_wait_for_more_but_not_long_and_the_last_ones_not_at_all(
    alice, submit, controller, engine, clock
):
    job = submit(alice, count=6, parallelism=1)
    controller.tick()
    [worker] = engine.running()
    worker.work(1)

    def done(seconds: float) -> int:
        clock.move(seconds)
        controller.tick()
        job.refresh_from_db()
        return job.done

    assert done(0.1) == 1  # the first pass of a process is never put off
    worker.work(1)
    assert done(0.1) == 1
    assert done(module.PATIENCE) == 2
    worker.work(4)
    assert done(0.1) == 6
    assert job.status == "succeeded"


def test_half_of_what_is_missing_does_not_wait(alice, submit, controller, engine, clock, monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 2)
    job = submit(alice, count=6, parallelism=1)
    controller.tick()
    [worker] = engine.running()
    controller.tick()
    for expected in (0, 0, 3, 3, 5, 6):  # 3 of 6, then ENOUGH of 3, then all
        worker.work(1)
        controller.tick()
        job.refresh_from_db()
        assert job.done == expected


# --- What a worker writes is not trusted -----------------------------------------------------------


@pytest.fixture
def worker(alice, submit, controller, engine):
    submit(alice, count=1)
    controller.tick()
    [worker] = engine.running()
    assert worker.claim()
    return worker


def ingested(worker, **changes) -> list[dict]:
    [image] = worker.chunk.images
    worker.write(image, 1, **changes)
    job = Job.objects.get(id=worker.spec.job_id)
    Ingest().run(job)
    return store().page(job.id)


def output(worker, **changes) -> list[dict]:
    [image] = worker.chunk.images
    return [worker.outputs(image)[0] | changes]


def test_a_document_about_anothers_photo_is_dropped(worker):
    assert ingested(worker, image="someone-elses") == []


@pytest.mark.parametrize("attempt", [0, 3, "1", None])
def test_a_document_of_no_attempt_is_dropped(worker, attempt):
    assert ingested(worker, attempt=attempt) == []


@pytest.mark.parametrize(("status", "kept"), [("ok", 1), ("failed", 0)])
def test_of_an_earlier_attempt_good_results_are_welcome_and_failures_are_past(worker, status, kept):
    Job.objects.update(attempt=2)
    assert len(ingested(worker, attempt=1, status=status)) == kept


def test_names_and_places_come_from_the_job_not_from_the_worker(worker):
    [doc] = ingested(worker, name="../../x", position=99, job="another", sha256="0" * 64, junk="x" * 1000)
    [image] = worker.chunk.images
    assert (doc["name"], doc["position"], doc["sha256"]) == (image.name, 0, image.sha256)
    assert doc["job"] == worker.spec.job_id
    assert "junk" not in doc


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "output/../job.json"},
        {"path": "../../drive/x"},
        {"path": "results/x"},
        {"sha256": "../../../etc/passwd"},
        {"sha256": "A" * 64},
        {"media_type": "text/html"},
        {"media_type": "image/svg+xml"},
        {"width": 0},
        {"height": 1 << 80},
        {"kind": "text"},
    ],
)
def test_an_output_that_makes_no_sense_fails_its_photo(worker, changes):
    [doc] = ingested(worker, outputs=output(worker, **changes))
    assert (doc["status"], doc["error"]["code"]) == ("failed", "bad_result")
    assert not Image.objects.filter(origin__isnull=False).exists()


@pytest.mark.parametrize("noticed", ["by ingest", "by the drive"])
def test_a_link_as_output_is_not_taken_in(worker, tmp_path, monkeypatch, noticed):
    secret = tmp_path / "secret"
    secret.write_bytes(b"12345")
    outputs = output(worker, bytes=5)
    [image] = worker.chunk.images
    worker.write(image, 1, outputs=outputs)
    path = worker.folder / outputs[0]["path"]
    path.unlink()
    path.symlink_to(secret)
    if noticed == "by the drive":  # it was swapped after ingest had looked
        monkeypatch.setattr(module, "_files_are_true", lambda *args: True)
    Ingest().run(Job.objects.get(id=worker.spec.job_id))
    assert store().page(worker.spec.job_id) == []
    assert not Image.objects.filter(origin__isnull=False).exists()
    assert secret.read_bytes() == b"12345"
    assert secret.stat().st_mode & 0o200


@pytest.mark.parametrize("kind", ["image", "text"])
def test_bytes_under_another_hash_stay_out(worker, alice, kind):
    """A worker that was taken over could give one photo the bytes of another."""
    image = worker.chunk.images[0]
    outputs = worker.outputs(image)
    wrong = next(one for one in outputs if one["kind"] == kind) | {"sha256": "c" * 64}
    worker.write(image, 1, outputs=[wrong if one["kind"] == kind else one for one in outputs])
    Ingest().run(Job.objects.get(id=worker.spec.job_id))
    assert store().page(worker.spec.job_id) == []
    assert not storage.blob_path(alice.id, "c" * 64).exists()
    assert not Image.objects.filter(origin__isnull=False).exists()


def test_a_photo_whose_hash_is_always_wrong_fails_with_a_reason(
    alice, submit, controller, engine, monkeypatch
):
    def lying(worker, image):
        return [one | {"sha256": "c" * 64} for one in outputs(worker, image)]

    outputs = FakeWorker.outputs
    monkeypatch.setattr(FakeWorker, "outputs", lying)
    job = run_to_end(controller, engine, submit(alice, count=1))
    assert (job.status, job.failed) == ("failed", 1)
    assert store().page(job.id)[0]["error"]["code"] == "no_result"
    assert job.reason == "No photo could be processed. Its worker ended several times without a result."


def test_a_photo_whose_hash_was_wrong_once_is_done_again(alice, submit, controller, engine):
    job = submit(alice, count=2, parallelism=1)
    controller.tick()
    [worker] = engine.running()
    worker.work(1)
    next((worker.folder / "output").glob("*.png")).write_bytes(b"x" * len(f"image of {'i' * 22}"))
    run_to_end(controller, engine, job)
    assert (job.status, job.done, job.failed) == ("succeeded", 2, 0)
    for output in Image.objects.filter(origin__isnull=False):
        data = storage.blob_path(alice.id, output.sha256).read_bytes()
        assert hashlib.sha256(data).hexdigest() == output.sha256


def test_text_that_a_database_refuses_is_cleaned(worker):
    [doc] = ingested(
        worker,
        status="failed",
        error={"code": "bad\x00", "message": "a\ud800b" * 400},
        data={"x": "\x00"},
        started=True,
        timings={"process_ms": "fast", "read_ms": -1},
        width=[],
    )
    assert doc["error"]["code"] == "bad"
    assert doc["error"]["message"].startswith("a?ba?b")
    assert len(doc["error"]["message"]) == 500
    assert (doc["data"], doc["started"], doc["width"]) == (None, 0.0, 0)
    assert doc["timings"] == {"process_ms": 0.0, "read_ms": 0.0}


def test_findings_are_kept_for_filters(worker):
    found = [{"label": "boat", "confidence": 0.9, "rgb": "red", "box": [1, 2, 3, 4]}, "junk", {"label": ""}]
    ingested(worker, data={"detections": found})
    assert list(Finding.objects.values_list("label", "confidence", "rgb")) == [("boat", 0.9, "red")]
