"""The queue: nothing is claimed twice, lost, or struck twice, whoever dies when."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jobfolder
from jobfolder import Chunk, ChunkImage, Heartbeat, chunks, plan_chunks
from jobfolder.results import Writer
from tests.jobfolder.conftest import images


def beat(folder, worker="w1", **changes):
    values = {"node": "n1", "pid": 1, "started": 10.0, "time": 11.0, "state": "working"} | changes
    jobfolder.write_worker(folder, Heartbeat(worker, **values))


# --- Planning -----------------------------------------------------------------------------------


@given(
    count=st.integers(0, 400),
    seconds=st.floats(0.001, 5),
    parallelism=st.integers(0, 9),
    attempt=st.integers(1, 30),
)
def test_plan_keeps_every_image_once_in_order(count, seconds, parallelism, attempt):
    planned = plan_chunks(images(count), seconds, attempt=attempt, parallelism=parallelism)

    assert [image for chunk in planned for image in chunk.images] == images(count)
    assert all(chunk.images and chunk.attempt == attempt for chunk in planned)
    names = [chunk.name for chunk in planned]
    assert names == sorted(set(names))
    assert len(planned) >= min(count, max(1, parallelism))
    for chunk in planned:
        assert len(chunk.images) == 1 or len(chunk.images) * seconds <= 1.5 + 1e-9


def test_plan_aims_at_the_target_cuts_smaller_towards_the_end_and_ends_with_single_images():
    sizes = [len(chunk.images) for chunk in plan_chunks(images(100), 0.1, parallelism=2)]

    assert sizes[:3] == [15] * 3  # 1.5 s
    assert sizes[3:-10] == [13, 10, 8, 6, 4, 3, 1]  # a quarter of what is left
    assert sizes[-10:] == [1] * 10


def test_plan_for_one_worker_only_aims_at_the_target():
    assert [len(chunk.images) for chunk in plan_chunks(images(50), 0.1)] == [15, 15, 15, *[1] * 5]


def test_plan_splits_a_small_job_among_its_workers():
    assert [len(c.images) for c in plan_chunks(images(8), 0.2, parallelism=2)] == [2, *[1] * 6]
    assert len(plan_chunks(images(8), 0.001)) == 1


def test_plan_weighs_images():
    def cost(image: ChunkImage) -> float:
        return 1.5 if image.position % 3 == 0 else 0.1

    planned = plan_chunks(images(9), cost)

    assert [len(chunk.images) for chunk in planned] == [1, 1, 1, 6]
    positions = [image.position for chunk in planned for image in chunk.images]
    assert positions == [0, 3, 6, 1, 2, 4, 5, 7, 8]  # much work first, like work in order


def test_plan_keeps_the_order_of_like_images():
    def cost(image: ChunkImage) -> float:
        return 0.5 + image.position % 5 / 10  # all between a half and one

    planned = plan_chunks(images(40), cost, parallelism=3)

    assert [image.position for chunk in planned for image in chunk.images] == list(range(40))


def test_plan_limits_the_tail_of_a_large_job():
    planned = plan_chunks(images(1000), 0.1, parallelism=2)

    assert [len(chunk.images) for chunk in planned[-33:]] == [10] + [1] * 32


# --- Claiming -----------------------------------------------------------------------------------


def test_claims_come_in_order_until_nothing_is_left(folder):
    names = [chunks.claim(folder, "w1").name for _ in range(3)]

    assert names == ["1-0001", "1-0002", "1-0003"]
    assert chunks.claim(folder, "w1") is None
    assert [claim.chunk for claim in jobfolder.claims(folder, "w1")] == names
    assert jobfolder.claims(folder, "w2") == []
    assert not jobfolder.is_finished(folder)
    for name in names:
        assert chunks.holds(folder, name, "w1")
        assert chunks.finish(folder, name, "w1")
    assert jobfolder.is_finished(folder)
    assert len(list((folder / "done").iterdir())) == 3


def test_threads_never_claim_the_same_chunk(data_dir, spec):
    jobfolder.create(jobfolder.jobs_root(data_dir), spec, plan_chunks(images(200), 9.0))
    folder = jobfolder.job_dir(data_dir, spec.job)
    barrier = threading.Barrier(8)

    def work(number: int) -> list[str]:
        barrier.wait()
        got = []
        while chunk := chunks.claim(folder, f"w{number}"):
            got += [image.image for image in chunk.images]
        return got

    with ThreadPoolExecutor(8) as pool:
        taken = [image for got in pool.map(work, range(8)) for image in got]

    assert sorted(taken) == [image.image for image in images(200)]


def test_give_back_and_finish_after_the_claim_is_gone(folder):
    chunk = chunks.claim(folder, "w1")
    jobfolder.release(folder, "w1")

    assert not chunks.holds(folder, chunk.name, "w1")
    assert not chunks.finish(folder, chunk.name, "w1")
    assert not chunks.give_back(folder, chunk.name, "w1")
    assert jobfolder.pending_count(folder) == 3


@pytest.mark.parametrize(
    "text", ["", "{}", '{"images": [{"image": "../x"}]}',
             '{"images": [{"image": "a", "position": 0, "name": "n", "sha256": "../../passwd"}]}'],
)  # fmt: skip
def test_chunk_that_makes_no_sense_is_set_aside(folder, text):
    (folder / "pending" / "1-0001.json").write_text(text)

    assert chunks.claim(folder, "w1").name == "1-0002"
    assert [path.name for path in (folder / "done").iterdir()] == ["1-0001.json"]


def test_names_with_a_dot_are_no_chunks(folder):
    (folder / "pending" / ".1-0000.json.5-6.tmp").write_text("half")
    (folder / "pending" / ".1-0000.json").write_text("half")

    assert jobfolder.pending(folder)[0] == "1-0001"


# --- Death --------------------------------------------------------------------------------------


def test_release_gives_back_all_and_strikes_the_image_in_hand(folder):
    first = chunks.claim(folder, "w1")
    chunks.claim(folder, "w2")
    beat(folder)
    with Writer(folder, first.name, "w0") as writer:
        writer.append({"image": "image000"})

    assert jobfolder.release(folder, "w1") == [first.name]
    assert chunks.strikes(folder) == {"image001": ["worker_died"]}
    assert [claim.worker for claim in jobfolder.claims(folder)] == ["w2"]


def test_one_death_is_one_strike_however_often_it_is_noticed(folder):
    chunk = chunks.claim(folder, "w1")
    beat(folder)
    barrier = threading.Barrier(6)

    def release(_: int) -> list[str]:
        barrier.wait()
        return jobfolder.release(folder, "w1")

    with ThreadPoolExecutor(6) as pool:
        released = [name for names in pool.map(release, range(6)) for name in names]

    assert released == [chunk.name]
    assert chunks.strikes(folder) == {"image000": ["worker_died"]}


def test_fifth_death_is_the_verdict_and_a_time_limit_at_once(folder):
    for death in range(1, 6):
        assert chunks.claim(folder, "w1").name == "1-0001"
        beat(folder, started=float(death))
        jobfolder.release(folder, "w1")
        codes = chunks.strikes(folder)["image000"]
        assert len(codes) == death
        assert chunks.verdict(codes) == ("worker_died" if death == 5 else None)
    assert chunks.verdict(["timed_out"]) == "timed_out"
    assert chunks.verdict([]) is None


def test_no_strike_without_a_claim_or_when_all_is_done(folder):
    beat(folder)
    assert jobfolder.release(folder, "w1") == []
    chunk = chunks.claim(folder, "w1")
    with Writer(folder, chunk.name, "w1") as writer:
        for image in chunk.images:
            writer.append({"image": image.image})
    assert jobfolder.release(folder, "w1") == ["1-0001"]

    assert chunks.strikes(folder) == {}


def test_release_without_a_heartbeat(folder):
    chunks.claim(folder, "w1")
    (folder / "workers" / "w1.json").write_text("{torn")

    assert jobfolder.release(folder, "w1") == ["1-0001"]
    assert chunks.strikes(folder) == {"image000": ["worker_died"]}


# --- Retry --------------------------------------------------------------------------------------


def test_add_chunks_halfway_and_again(folder):
    more = [Chunk(f"2-{n:04}", (image,)) for n, image in enumerate(images(3), 1)]

    def crash():
        yield more[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobfolder.add_chunks(folder, crash())
    while (chunk := chunks.claim(folder, "w1")) and chunk.name != "2-0001":
        chunks.finish(folder, chunk.name, "w1")

    assert jobfolder.add_chunks(folder, more) == 2
    assert jobfolder.add_chunks(folder, more) == 0
    assert jobfolder.pending(folder) == ["2-0002", "2-0003"]
    assert chunks.claim(folder, "w1").images == more[1].images
