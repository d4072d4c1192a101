"""Work on a job folder: within one process, by the functions that worker processes run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

import jobfolder
from jobfolder import Limits, chunks
from model_images.runtime import batch, outputs
from model_images.runtime.contract import BadParams
from tests.runtime import pictures


@pytest.fixture(autouse=True)
def _signals():
    """A worker takes over the signals of its process; give them back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def run(folder, worker="w1"):
    return batch.run(folder, worker, "node-1", ["seccomp"])


def test_every_photo_gets_a_document_and_an_output(jobs, photos):
    folder = jobs.create(photos)

    assert run(folder) == "done"

    documents = jobs.documents(folder)
    assert sorted(documents) == [f"image{n:03}" for n in range(8)]
    document = documents["image003"]
    assert document | {"started": 0, "finished": 0, "timings": 0, "outputs": 0} == {
        "job": "job1",
        "image": "image003",
        "position": 3,
        "name": "photo 3.jpeg",
        "sha256": hashlib.sha256(photos[3]).hexdigest(),
        "attempt": 1,
        "app_version": "7",
        "status": "ok",
        "error": None,
        "node": "node-1",
        "worker": "w1",
        "started": 0,
        "finished": 0,
        "width": 16,
        "height": 12,
        "bytes": len(photos[3]),
        "timings": 0,
        "outputs": 0,
        "data": None,
    }
    assert list(document["timings"]) == ["read_ms", "process_ms", "encode_ms", "write_ms"]
    (output,) = document["outputs"]
    data = jobfolder.output_file(folder, output).read_bytes()
    assert output == {
        "kind": "image",
        "name": "photo 3.png",
        "path": "output/image003.png",
        "media_type": "image/png",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "width": 16,
        "height": 12,
    }
    inverted = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(255 - inverted, np.asarray(Image.open(io.BytesIO(photos[3]))))
    assert jobfolder.is_finished(folder)
    assert len(list((folder / "output").iterdir())) == 8


def test_heartbeat_of_a_worker_that_is_done(jobs, photos):
    folder = jobs.create(photos)
    run(folder)

    (beat,) = jobfolder.read_workers(folder)

    assert (beat.worker, beat.node, beat.images, beat.state, beat.reason) == (
        "w1", "node-1", 8, "exited", "done",
    )  # fmt: skip
    assert (beat.chunk, beat.image, beat.pid, beat.isolation) == (None, None, os.getpid(), ["seccomp"])
    assert beat.started <= beat.time


def test_bad_photos_fail_alone_with_their_reason(jobs, photos):
    whole = pictures.jpeg()
    bad = [photos[0], b"", b"GIF89a", whole[: len(whole) // 2], pictures.png_header(90_000, 90_000),
           "f" * 64, pictures.frames("PNG"), photos[1]]  # fmt: skip
    folder = jobs.create(bad)

    assert run(folder) == "done"

    codes = [(d["error"] or {}).get("code") for d in jobs.documents(folder).values()]
    assert codes == [None, "empty", "unsupported_type", "truncated", "too_many_pixels", "missing",
                     "animated", None]  # fmt: skip
    truncated = jobs.documents(folder)["image003"]
    assert (truncated["status"], truncated["width"], truncated["outputs"]) == ("failed", 64, [])


@pytest.mark.parametrize(
    ("act", "code", "words"),
    [
        ("raise", "app_error", "KeyError"),
        ("oserror", "app_error", "OSError"),
        ("bad_image", "too_small", "too small"),
        ("bad_params", "invalid_params", "columns"),
        ("nan", "app_error", "ValueError"),
        ("wrong", "app_error", "TypeError"),
        ("huge", "output_too_large", "million"),
        ("memory", "out_of_memory", "memory"),
        ("nonsense", "invalid_params", "act"),
    ],
)
def test_whatever_an_app_does_the_job_goes_on(jobs, photos, act, code, words):
    folder = jobs.create(photos[:3], each={1: {"act": act}})

    assert run(folder) == "done"

    documents = jobs.documents(folder)
    assert [d["status"] for d in documents.values()] == ["ok", "failed", "ok"]
    assert documents["image001"]["error"]["code"] == code
    assert words in documents["image001"]["error"]["message"]
    assert "secret" not in documents["image001"]["error"]["message"]
    assert len(list((folder / "output").iterdir())) == 2


def test_time_limit_ends_python_code(jobs, photos):
    folder = jobs.create(photos[:2], each={0: {"act": "sleep"}}, limits=Limits(image_seconds=0.05))

    run(folder)

    documents = jobs.documents(folder)
    assert documents["image000"]["error"]["code"] == "timed_out"
    assert documents["image001"]["status"] == "ok"


def test_text_html_and_data_beside_the_image(jobs, photos):
    folder = jobs.create(photos[:1], {"act": "text", "format": "webp"})

    run(folder)

    document = jobs.documents(folder)["image000"]
    assert [(o["kind"], o["name"], o["path"], o["media_type"]) for o in document["outputs"]] == [
        ("image", "photo 0.webp", "output/image000.webp", "image/webp"),
        ("text", "photo 0.txt", "output/image000.txt", "text/plain"),
        ("html", "photo 0.html", "output/image000.html", "text/html"),
    ]
    assert (folder / "output" / "image000.html").read_text() == "<p>html</p>"
    assert 0 < document["data"]["mean"] < 255


def test_params_of_a_photo_replace_those_of_the_job(jobs, photos):
    folder = jobs.create(photos[:2], {"act": "text"}, each={1: {"format": "jpeg"}})

    run(folder)

    documents = jobs.documents(folder)
    assert [len(documents[image]["outputs"]) for image in ("image000", "image001")] == [3, 1]
    assert documents["image001"]["outputs"][0]["media_type"] == "image/jpeg"


# --- fit ----------------------------------------------------------------------------------------


def test_fit_runs_once_and_every_worker_uses_its_value(jobs, photos):
    sample = [jobs.photo(photo) for photo in photos[:4]] + ["f" * 64, jobs.photo(b"no photo")]
    folder = jobs.create(photos, app="fitted", sample=sample, assets={"tiles": sample[:2]}, size=8)
    (folder / "shared.json").write_text(json.dumps({"shared": {"from": "another worker"}}))
    other = jobs.create(photos, app="fitted", sample=sample, job="job2")

    run(folder)
    run(other)

    assert {json.dumps(d["data"]["shared"]) for d in jobs.documents(folder).values()} == {
        '{"from": "another worker"}'
    }
    (shared,) = {json.dumps(d["data"]["shared"]) for d in jobs.documents(other).values()}
    assert json.loads(shared)["count"] == 4
    assert jobs.documents(folder)["image000"]["data"]["assets"] == {"tiles": sample[:2]}


def test_slower_worker_takes_the_shared_value_of_the_faster(jobs, photos, monkeypatch):
    folder = jobs.create(photos[:1], app="fitted", sample=[jobs.photo(photos[0])])

    def slow(self):
        (folder / "shared.json").write_text('{"shared": {"from": "the faster"}}')
        return {"from": "the slower"}

    monkeypatch.setattr(batch.Batch, "_fit", slow)
    run(folder)

    assert jobs.documents(folder)["image000"]["data"]["shared"] == {"from": "the faster"}
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_options_that_fit_refuses_end_the_worker(jobs, photos):
    folder = jobs.create(photos, {"strict": True}, app="fitted", sample=[jobs.photo(photos[0])])

    assert run(folder) == "error: Can't fit."
    assert jobfolder.read_worker(folder, "w1").reason == "error: Can't fit."
    assert jobfolder.pending_count(folder) == 3


# --- What ends a worker ---------------------------------------------------------------------------


def test_unknown_app(jobs, photos):
    folder = jobs.create(photos, app="nosuch")

    assert run(folder) == "error: this node has no app called 'nosuch'"
    assert jobfolder.pending_count(folder) == 3


def test_folder_that_is_gone_or_broken(jobs, photos):
    folder = jobs.create(photos)
    (folder / "job.json").write_text("{")
    assert run(folder).startswith("error: ")
    jobfolder.delete(folder)
    assert run(folder) == "gone"


def test_stop_before_and_during(jobs, photos, monkeypatch):
    folder = jobs.create(photos)
    jobfolder.request_stop(folder)
    assert run(folder) == "stopped"
    jobfolder.clear_stop(folder)
    save = outputs.save_outputs

    def stop_after_two(job_dir, image, done):
        if image.position == 1:
            jobfolder.request_stop(folder)
        return save(job_dir, image, done)

    monkeypatch.setattr(batch, "save_outputs", stop_after_two)
    assert run(folder) == "stopped"
    assert sorted(jobs.documents(folder)) == ["image000", "image001"]
    assert jobfolder.pending(folder) == ["1-0001", "1-0002", "1-0003"]

    jobfolder.clear_stop(folder)
    assert run(folder, "w2") == "done"
    assert len(jobs.documents(folder)) == 8


def test_worker_that_is_asked_to_leave_does_and_the_others_stay(jobs, photos, monkeypatch):
    folder = jobs.create(photos)
    save = outputs.save_outputs

    def ask(job_dir, image, done):
        jobfolder.request_leave(folder, "w1")
        return save(job_dir, image, done)

    monkeypatch.setattr(batch, "save_outputs", ask)

    assert run(folder) == "left"
    assert run(folder) == "left"
    assert sorted(jobs.documents(folder)) == ["image000"]
    assert jobfolder.pending_count(folder) == 3
    assert run(folder, "w2") == "done"


def test_sigterm_finishes_the_photo_at_hand_and_gives_back_the_chunk(jobs, photos, monkeypatch):
    folder = jobs.create(photos)
    save = outputs.save_outputs

    def terminate(job_dir, image, done):
        os.kill(os.getpid(), signal.SIGTERM)
        return save(job_dir, image, done)

    monkeypatch.setattr(batch, "save_outputs", terminate)

    assert run(folder) == "terminated"
    assert sorted(jobs.documents(folder)) == ["image000"]
    assert jobfolder.claims(folder) == []
    assert jobfolder.pending_count(folder) == 3
    assert jobfolder.chunks.strikes(folder) == {}


def test_claim_given_back_while_working_leaves_the_chunk_to_the_other(jobs, photos, monkeypatch):
    folder = jobs.create(photos)
    save = outputs.save_outputs

    def lose_the_claim(job_dir, image, done):
        if image.position == 0 and not jobfolder.claims(folder, "w2"):
            jobfolder.release(folder, "w1")
            assert chunks.claim(folder, "w2").name == "1-0001"
        return save(job_dir, image, done)

    monkeypatch.setattr(batch, "save_outputs", lose_the_claim)

    assert run(folder) == "done"
    documents = jobs.documents(folder)
    assert sorted(documents) == ["image000"] + [f"image{n:03}" for n in range(3, 8)]
    assert jobfolder.claims(folder) == [jobfolder.Claimed("1-0001", "w2")]


def test_full_disk_is_no_fault_of_the_photo(jobs, photos, monkeypatch):
    folder = jobs.create(photos)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "save_outputs", full)

    assert run(folder) == "error: writing a result: No space left on device"
    assert jobs.documents(folder) == {}
    assert jobfolder.pending_count(folder) == 3


def test_deleted_while_working(jobs, photos, monkeypatch):
    folder = jobs.create(photos)
    save = outputs.save_outputs

    def vanish(job_dir, image, done):
        jobfolder.delete(folder)
        return save(job_dir, image, done)

    monkeypatch.setattr(batch, "save_outputs", vanish)

    assert run(folder) == "gone"
    assert not folder.exists()


def test_second_process_of_the_same_name_does_nothing(jobs, photos):
    folder = jobs.create(photos)
    lock = batch._only_one(folder, "w1")

    assert run(folder) == "duplicate"
    assert jobfolder.read_workers(folder) == []
    os.close(lock)
    assert run(folder) == "done"


# --- Taking over from the dead --------------------------------------------------------------------


def test_finished_photos_are_not_done_again(jobs, photos):
    folder = jobs.create(photos)
    chunks.claim(folder, "w0")
    with jobfolder.results.Writer(folder, "1-0001", "w0") as writer:
        writer.append({"image": "image000", "status": "ok"})
        os.write(writer._fd, b'{"image": "image001", "sta')
    jobfolder.release(folder, "w0")

    assert run(folder) == "done"
    documents = jobs.documents(folder)
    assert "worker" not in documents["image000"]
    assert documents["image001"]["worker"] == "w1"


def test_photo_that_killed_too_many_workers_fails_and_its_chunk_goes_on(jobs, photos):
    folder = jobs.create(photos)
    for start in range(chunks.MAX_STRIKES):
        chunks.strike(folder, "image001", f"w0.{start}", "worker_died")
    chunks.strike(folder, "image004", "w0.9", "timed_out")
    chunks.strike(folder, "image005", "w0.9", "worker_died")

    run(folder)

    codes = {i: (d["error"] or {}).get("code") for i, d in jobs.documents(folder).items()}
    assert {i: code for i, code in codes.items() if code} == {
        "image001": "worker_died",
        "image004": "timed_out",
    }


def test_options_are_checked_once_for_each_set(jobs, photos, monkeypatch):
    folder = jobs.create(photos, each={5: {"act": "text"}, 6: {"act": "nonsense"}, 7: {"act": "nonsense"}})
    checked = []
    load = batch.load_params

    def count(processor, raw):
        checked.append(dict(raw))
        return load(processor, raw)

    monkeypatch.setattr(batch, "load_params", count)
    run(folder)

    assert checked == [{}, {"act": "text"}, {"act": "nonsense"}]


def test_what_is_wrong_with_options_is_told_by_field(trial_apps):
    with pytest.raises(BadParams) as refused:
        batch.load_params(batch._processor("trial"), {"act": "fly", "quality": 7, "more": 1})

    assert sorted(refused.value.fields) == ["act", "more", "quality"]


def test_heartbeat_tells_where_the_time_before_the_first_photo_went(jobs, photos):
    folder = jobs.create(photos[:2])
    before = time.time()

    assert jobs.worker(folder).wait(30) == 0

    beat = jobfolder.read_worker(folder, "w1")
    first = min(document["started"] for document in jobs.documents(folder).values())
    # The kernel counts a process's age in hundredths of a second.
    assert before - 0.05 <= beat.born < beat.imported <= beat.started <= beat.claimed <= first
