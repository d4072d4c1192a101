"""Batch jobs with weights: within one process, and by real workers that are locked in."""

from __future__ import annotations

import io
import signal

import numpy as np
import pytest
from PIL import Image

import jobfolder
from jobfolder import Limits
from model_images.runtime import batch, landlock, sessions
from tests import weights
from tests.runtime import pictures


@pytest.fixture(autouse=True)
def _own_sessions(monkeypatch):
    """No session of another test, and the process's signals as they were."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    sessions.sessions.cache_clear()
    yield
    sessions.sessions.cache_clear()
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(number, handler)


def run(folder):
    return batch.run(folder, "w1", "node-1", [])


def job(jobs, photos, sha256, app="classifier", **options):
    return jobs.create(photos, app=app, app_version="1", weights=sha256, **options)


def test_every_photo_is_classified_by_one_session(jobs, monkeypatch):
    loads = []
    load = sessions.Session.__init__
    monkeypatch.setattr(
        sessions.Session, "__init__", lambda self, path: (loads.append(path), load(self, path))[1]
    )
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 250, 0)]
    photos = [pictures.png(np.full((9, 9, 3), colour, np.uint8)) for colour in colours]
    sha256 = weights.keep(jobs.data_dir, weights.classifier())

    assert run(job(jobs, photos, sha256, size=2)) == "done"

    documents = jobs.documents(jobs.data_dir / "jobs" / "job1")
    assert [d["data"]["predicted_class"] for d in documents.values()] == ["red", "green", "blue", "green"]
    assert [d["outputs"] for d in documents.values()] == [[]] * 4
    assert len(loads) == 1


def test_detections_and_the_drawn_photo(jobs):
    sha256 = weights.keep(jobs.data_dir, weights.detector([[32, 32, 20, 10, 0.9, 0.8, 0.1]]))
    folder = job(jobs, [pictures.jpeg(), b"no photo"], sha256, "yolov5")

    assert run(folder) == "done"

    good, bad = jobs.documents(folder).values()
    assert good["data"]["counts"] == {"cat": 1}
    assert good["outputs"][0]["media_type"] == "image/jpeg"
    assert (bad["status"], bad["error"]["code"]) == ("failed", "unsupported_type")


def test_noise_gives_each_photo_its_own_picture_and_tells_its_seed(jobs):
    sha256 = weights.keep(jobs.data_dir, weights.generator("noise_to_image"))
    photos = [pictures.png(pictures.noise()) for _ in range(3)]
    folder = job(jobs, photos, sha256, "gan", params={"seed": 5})
    same = job(jobs, photos, sha256, "gan", params={"seed": 5, "vary": False}, job="job2")

    assert [run(folder), run(same)] == ["done", "done"]

    assert len({d["data"]["seed"] for d in jobs.documents(folder).values()}) == 3
    assert {d["data"]["seed"] for d in jobs.documents(same).values()} == {5}
    assert len({d["outputs"][0]["sha256"] for d in jobs.documents(folder).values()}) == 3
    assert len({d["outputs"][0]["sha256"] for d in jobs.documents(same).values()}) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There are no weights ffffffffffff…"),
        (b"garbage", "damaged"),
        (weights.model([], (1,), None), "damaged"),
        (weights.detector([[0] * 7]), "of the family yolov5"),
    ],
)
def test_weights_that_cannot_be_used_end_the_worker(jobs, photos, content, words):
    sha256 = "f" * 64 if content is None else weights.keep(jobs.data_dir, content)
    folder = job(jobs, photos, sha256)

    reason = run(folder)

    assert reason.startswith("error: ")
    assert words in reason
    assert jobfolder.read_worker(folder, "w1").reason == reason
    assert jobfolder.pending_count(folder) == 3
    assert jobs.documents(folder) == {}


def test_job_without_weights_and_weights_that_are_too_large(jobs, photos, monkeypatch):
    monkeypatch.setenv("WEIGHTS_MEMORY", "1000")
    sha256 = weights.keep(jobs.data_dir, weights.classifier(padding=4000))

    assert "names no weights" in run(job(jobs, photos, None))
    assert "at most 0 MB" in run(job(jobs, photos, sha256, job="job2"))


def test_spec_with_malformed_weights_is_no_job(jobs, photos):
    assert "is no sha256" in run(job(jobs, photos, "../../etc/passwd"))


def test_output_that_is_none_of_the_family_ends_the_worker_and_no_photo_fails(jobs, photos):
    """The same would happen to every photo: it is the weights' fault."""
    sha256 = weights.keep(
        jobs.data_dir, weights.generator("image_to_image", family="yolov5", output="yolov5")
    )
    folder = job(jobs, photos, sha256, "yolov5")

    assert "is none of a yolov5 detector" in run(folder)
    assert jobs.documents(folder) == {}


# --- Real workers -----------------------------------------------------------------------------------


@pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")
def test_real_worker_reads_its_weights_and_no_others(jobs, photos):
    mine = weights.keep(jobs.data_dir, weights.classifier())
    other = weights.keep(jobs.data_dir, weights.classifier(architecture="other"))
    folder = job(jobs, photos, mine)
    path = jobfolder.weights_path(jobs.data_dir, other)
    spying = jobs.create(photos[:1], {"act": "escape", "path": str(path)}, job="job2", weights=mine)

    assert [jobs.worker(folder).wait(60), jobs.worker(spying).wait(60)] == [0, 0]
    assert {d["data"]["predictor_name"] for d in jobs.documents(folder).values()} == {"means"}
    assert jobs.documents(spying)["image000"]["data"]["read"] == "PermissionError"


def test_run_that_needs_too_much_memory_fails_its_photo_alone(jobs):
    sha256 = weights.keep(jobs.data_dir, weights.hungry())
    sizes = [(2, 2), (64, 64), (3, 2)]
    photos = [pictures.png(pictures.noise(*size)) for size in sizes]
    folder = job(jobs, photos, sha256, "gan", params={"format": "png"}, limits=Limits(image_seconds=60))

    assert jobs.worker(folder).wait(90) == 0

    documents = jobs.documents(folder)
    assert [(d["error"] or {}).get("code") for d in documents.values()] == [None, "out_of_memory", None]
    made = (folder / documents["image000"]["outputs"][0]["path"]).read_bytes()
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(made))), np.asarray(Image.open(io.BytesIO(photos[0])))
    )
