"""Real worker processes on one job folder: two at once, killed in the middle, taken over, stopped."""

from __future__ import annotations

import signal

import jobfolder
from jobfolder import chunks
from model_images.runtime import child
from tests.runtime.conftest import until


def exactly_once(jobs, folder, count: int) -> dict:
    documents = jobs.documents(folder)  # fails on an image with two
    assert sorted(documents) == [f"image{n:03}" for n in range(count)]
    assert {d["status"] for d in documents.values()} == {"ok"}
    assert len(list((folder / "output").iterdir())) == count
    assert jobfolder.is_finished(folder)
    return documents


def test_two_workers_share_a_job_and_do_no_photo_twice(jobs, photos):
    folder = jobs.create(photos * 15, size=2)

    workers = [jobs.worker(folder, name) for name in ("w1", "w2")]

    assert [worker.wait(20) for worker in workers] == [0, 0]
    documents = exactly_once(jobs, folder, 120)
    beats = jobfolder.read_workers(folder)
    assert sum(beat.images for beat in beats) == 120
    assert {beat.reason for beat in beats} == {"done"}
    assert {d["worker"] for d in documents.values()} <= {"w1", "w2"}


def test_killed_worker_is_released_and_another_finishes(jobs, photos):
    gate = jobs.data_dir / "jobs" / "job1" / "go"
    folder = jobs.create(photos, each={4: {"act": "wait", "path": str(gate)}})
    victim = jobs.worker(folder, "w1")
    until(lambda: list(folder.glob("reached-*")), "image004 in hand")

    victim.kill()
    victim.wait()
    assert jobfolder.release(folder, "w1") == ["1-0002"]
    assert chunks.strikes(folder) == {"image004": ["worker_died"]}
    before = jobs.documents(folder)
    assert sorted(before) == [f"image{n:03}" for n in range(4)]
    gate.touch()

    assert jobs.worker(folder, "w2").wait(20) == 0
    after = exactly_once(jobs, folder, 8)
    assert all(after[image] == document for image, document in before.items())
    assert {image for image, d in after.items() if d["worker"] == "w2"} == set(after) - set(before)


def test_worker_of_the_same_name_takes_over_its_own_files(jobs, photos):
    """The node starts a dead worker again under its name; a torn line of the first must not matter."""
    folder = jobs.create(photos, each={2: {"act": "sleep"}})
    victim = jobs.worker(folder, "w1")
    until(lambda: (b := jobfolder.read_worker(folder, "w1")) and b.image == "image002", "image002 in hand")
    victim.kill()
    victim.wait()
    with (folder / "results" / "1-0001@w1.jsonl").open("a") as file:
        file.write('{"image": "image002", "stat')
    jobfolder.release(folder, "w1")
    path = folder / "pending" / "1-0001.json"
    path.write_text(path.read_text().replace('"sleep"', '"invert"'))

    assert jobs.worker(folder, "w1").wait(20) == 0
    exactly_once(jobs, folder, 8)


def test_photo_that_kills_its_worker_fails_after_five_and_nothing_else_is_lost(jobs, photos):
    folder = jobs.create(photos, each={1: {"act": "die"}})

    deaths = 0
    while (status := jobs.worker(folder).wait(20)) == -signal.SIGKILL:
        deaths += 1
        assert jobfolder.release(folder, "w1") == ["1-0001"]

    assert (deaths, status) == (5, 0)
    documents = jobs.documents(folder)
    assert documents.pop("image001")["error"]["code"] == "worker_died"
    assert {d["status"] for d in documents.values()} == {"ok"}
    assert len(documents) == 7


def test_sigterm_ends_a_worker_in_order(jobs, photos):
    folder = jobs.create(photos * 60, size=40)
    worker = jobs.worker(folder)
    until(lambda: len(jobs.documents(folder)) > 3, "some photos done")

    worker.terminate()

    assert worker.wait(10) == 0
    assert jobfolder.read_worker(folder, "w1").reason == "terminated"
    assert jobfolder.claims(folder) == []
    assert jobs.worker(folder, "w2").wait(20) == 0
    exactly_once(jobs, folder, 480)


def test_two_processes_of_one_name(jobs, photos):
    folder = jobs.create(photos, each={0: {"act": "sleep"}})
    first = jobs.worker(folder)
    until(lambda: (b := jobfolder.read_worker(folder, "w1")) and b.image, "a photo in hand")

    assert jobs.worker(folder).wait(20) == child.EXIT_DUPLICATE
    assert first.poll() is None
    assert jobfolder.read_worker(folder, "w1").pid == first.pid


def test_job_that_is_gone_or_broken(jobs, photos):
    folder = jobs.create(photos)
    (folder / "job.json").write_text("{}")
    assert jobs.worker(folder).wait(20) == child.EXIT_ERROR
    jobfolder.delete(folder)
    assert jobs.worker(folder).wait(20) == child.EXIT_OK
    assert not folder.exists()
