"""A worker with a process that looks after it, as in a pod: it dies, hangs, is ended, and goes on."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

import jobfolder
from jobfolder import Limits, chunks
from model_images.runtime import alone, child, lockin, memory
from tests.runtime.conftest import until

SUPERVISED = "--supervise"
PATIENT = Limits(image_seconds=120)


def held(jobs) -> dict:
    """Options of a photo that stays in hand."""
    return {"act": "wait", "path": str(jobs.data_dir / "jobs" / "job1" / "go")}


def codes(jobs, folder) -> dict[str, str]:
    return {image: (d["error"] or {}).get("code", "ok") for image, d in jobs.documents(folder).items()}


def test_job_is_done_and_the_heartbeat_tells_when_the_container_began(jobs, photos):
    folder, before = jobs.create(photos), time.time()

    assert jobs.worker(folder, "w1", SUPERVISED).wait(30) == child.EXIT_OK

    assert set(codes(jobs, folder).values()) == {"ok"}
    beat = jobfolder.read_worker(folder, "w1")
    assert (beat.state, beat.reason) == ("exited", "done")
    assert before - 1 < beat.born < beat.imported < beat.started


def test_photo_that_kills_its_worker_fails_and_the_container_lives_on(jobs, photos):
    folder = jobs.create(photos, each={1: {"act": "die"}})

    assert jobs.worker(folder, "w1", SUPERVISED).wait(60) == child.EXIT_OK

    found = codes(jobs, folder)
    assert found.pop("image001") == "worker_died"
    assert set(found.values()) == {"ok"}
    assert chunks.strikes(folder)["image001"] == ["worker_died"] * chunks.MAX_STRIKES


def test_photo_that_can_not_be_interrupted_is_killed_over(jobs, photos, monkeypatch):
    limits = Limits(image_seconds=1)
    folder = jobs.create(photos[:3], each={1: {"act": "spin"}}, limits=limits)

    assert jobs.worker(folder, "w1", SUPERVISED).wait(60) == child.EXIT_OK

    assert codes(jobs, folder) == {"image000": "ok", "image001": "timed_out", "image002": "ok"}


def test_sigterm_has_the_worker_finish_its_photo(jobs, photos):
    folder = jobs.create(photos * 60, size=40)
    worker = jobs.worker(folder, "w1", SUPERVISED)
    until(lambda: len(jobs.documents(folder)) > 3, "some photos done")

    worker.terminate()

    assert worker.wait(15) == child.EXIT_OK
    assert jobfolder.read_worker(folder, "w1").reason == "terminated"
    assert jobfolder.claims(folder) == []
    assert chunks.strikes(folder) == {}


def test_worker_ends_with_the_process_that_looks_after_it(jobs, photos):
    folder = jobs.create(photos, each={0: held(jobs)}, limits=PATIENT)
    worker = jobs.worker(folder, "w1", SUPERVISED)
    beat = until(lambda: (b := jobfolder.read_worker(folder, "w1")) and b.image and b, "a photo in hand")
    assert beat.pid != worker.pid

    worker.kill()
    worker.wait()

    until(lambda: not Path(f"/proc/{beat.pid}").exists() or _is_zombie(beat.pid), "the worker to end")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_claims_of_an_earlier_process_of_that_name_are_given_back(jobs, photos):
    """Its pod was deleted by hand, and the Job made another."""
    folder = jobs.create(photos, each={4: held(jobs)}, limits=PATIENT)
    first = jobs.worker(folder)
    until(lambda: (b := jobfolder.read_worker(folder, "w1")) and b.image == "image004", "image004 in hand")
    first.kill()
    first.wait()
    beat = jobfolder.read_worker(folder, "w1")
    jobfolder.write_worker(folder, replace(beat, time=time.time() - 2 * alone.SILENT))
    path = folder / "claimed" / "1-0002.json@w1"
    path.write_text(path.read_text().replace('"wait"', '"invert"'))

    assert jobs.worker(folder, "w1", SUPERVISED).wait(30) == child.EXIT_OK

    assert set(codes(jobs, folder).values()) == {"ok"}
    assert jobfolder.is_finished(folder)


def test_second_container_of_one_name_leaves(jobs, photos):
    folder = jobs.create(photos, each={0: held(jobs)}, limits=PATIENT)
    first = jobs.worker(folder, "w1", SUPERVISED)
    until(lambda: (b := jobfolder.read_worker(folder, "w1")) and b.image, "a photo in hand")

    assert jobs.worker(folder, "w1", SUPERVISED).wait(30) == child.EXIT_DUPLICATE
    assert first.poll() is None
    assert len(jobfolder.claims(folder)) == 1


class Watched(alone.Alone):
    """Its worker was ended by the kernel, or by somebody, as the test says."""

    def __init__(self, folder: Path, counts: list[int], monkeypatch) -> None:
        monkeypatch.setattr(alone, "ooms", lambda: counts.pop(0))
        super().__init__(folder, "node-1")


@pytest.mark.parametrize(
    ("counts", "status", "killed_for", "code"),
    [
        ([0, 1], -9, "worker_died", "out_of_memory"),
        ([3, 3], -9, "worker_died", "worker_died"),
        ([0, 1], -11, "worker_died", "worker_died"),
        ([0, 1], -9, "timed_out", "timed_out"),
        ([0, 1], -9, None, None),
    ],
)
def test_death_for_want_of_memory_is_told_from_others(
    tmp_path, monkeypatch, counts, status, killed_for, code
):
    watched = Watched(tmp_path, counts, monkeypatch)
    running = alone.Running(None, tmp_path, "w1", 1.0, killed_for)

    assert watched._cause(running, status) == code


def test_photo_has_a_second_try_after_a_death_for_want_of_memory_and_no_third(jobs, photos):
    folder = jobs.create(photos[:2])
    chunks.strike(folder, "image000", "w1.1", "out_of_memory")
    chunks.strike(folder, "image001", "w1.1", "out_of_memory")
    chunks.strike(folder, "image001", "w2.1", "out_of_memory")

    assert jobs.worker(folder).wait(30) == child.EXIT_OK

    documents = jobs.documents(folder)
    assert documents["image000"]["status"] == "ok"
    assert documents["image001"]["error"] == {
        "code": "out_of_memory",
        "message": "Processing this photo needs more memory than a worker has.",
    }


def test_worker_memory_limits_what_may_come_to_what_there_is(monkeypatch):
    page = os.sysconf("SC_PAGE_SIZE")
    mapped, resident = (int(n) * page for n in Path("/proc/self/statm").read_text().split()[:2])
    monkeypatch.setenv("WORKER_MEMORY", str(resident + (1 << 30)))
    assert memory.address_space() - mapped == pytest.approx(1 << 30, abs=64 << 20)
    monkeypatch.setenv("WORKER_MEMORY", "1000")
    assert memory.address_space() - mapped == pytest.approx(memory.LEAST, abs=64 << 20)
    monkeypatch.delenv("WORKER_MEMORY")
    assert memory.address_space() - mapped == pytest.approx(memory.UNLIMITED, abs=64 << 20)
    assert lockin  # it takes the limit from here


def test_photo_that_needs_more_than_worker_memory_fails_alone(jobs):
    from tests.runtime import pictures

    big = pictures.png(pictures.noise(40, 30).repeat(150, 0).repeat(150, 1))  # 4500 x 6000: 81 MB of RGB
    folder = jobs.create([pictures.png(pictures.noise(16, 12)), big, pictures.png(pictures.noise(16, 12))])

    assert jobs.worker(folder, "w1", SUPERVISED, WORKER_MEMORY="1").wait(60) == child.EXIT_OK

    assert codes(jobs, folder) == {"image000": "ok", "image001": "out_of_memory", "image002": "ok"}


@pytest.mark.parametrize(
    ("text", "count"),
    [("low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n", 2), ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3)],
)
def test_kernel_tells_how_many_it_has_ended(tmp_path, monkeypatch, text, count):
    path = tmp_path / "events"
    path.write_text(text)
    monkeypatch.setattr(memory, "_EVENTS", (tmp_path / "missing", path))

    assert memory.ooms() == count


def test_kernel_that_does_not_tell_counts_none(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_EVENTS", (tmp_path / "missing",))

    assert memory.ooms() == 0
