"""Speeds and work by hand."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from apps.benchmarks.replay.calibration import Calibration, as_run, from_outcome
from apps.benchmarks.replay.photos import Bank, Photo
from loadbalancer.records import Outcome, Record
from loadbalancer.workload import NodeSpec, Task

SMALL, LARGE = Photo("a" * 64, 1.0), Photo("b" * 64, 3.0)
NODES = (NodeSpec("fast", speed=2.0), NodeSpec("slow"))


def record(task: int, node: str, start: float, end: float, work: float = 1.0) -> Record:
    return Record(task, 0, node, 0.0, 0.0, start, end, work)


def outcome(*records: Record, **busy: float) -> Outcome:
    return Outcome("pull", NODES, records, busy={"fast": 0.0, "slow": 0.0} | busy, wasted={})


def test_speeds_are_relative_to_the_slowest_and_work_is_its_seconds():
    tries = [  # the first of each is not counted
        record(0, "fast", 0.0, 9.0),
        record(1, "slow", 0.0, 9.0),
        record(2, "fast", 9.0, 10.0),
        record(3, "slow", 9.0, 11.0),
        record(4, "fast", 20.0, 29.0),
        record(5, "slow", 20.0, 29.0),
        record(6, "fast", 29.0, 32.0),
        record(7, "slow", 29.0, 35.0),
    ]
    photos = [SMALL] * 4 + [LARGE] * 4

    found = from_outcome(outcome(*tries), photos, ["fast", "slow"])

    assert found.speeds == {"fast": 2.0, "slow": 1.0}
    assert found.points == ((1.0, 2.0), (3.0, 6.0))
    assert found.work(2.0) == 4.0
    assert found.megapixels(5.0) == 2.5
    assert found.megapixels(8.0) == 4.0  # beyond what was tried


def test_a_photo_never_takes_no_time():
    assert Calibration(((1.0, 1.0), (2.0, 3.0)), {}).work(0.1) == 1e-4


def test_speeds_of_a_run_are_what_was_done_in_it():
    done = outcome(record(0, "fast", 0.0, 1.0, 3.0), record(1, "slow", 0.0, 4.0, 2.0), fast=1.0, slow=4.0)

    assert [node.speed for node in as_run(done).nodes] == [3.0, 0.5]


def test_a_node_without_work_drifts_with_the_others():
    done = outcome(record(0, "fast", 0.0, 2.0, 2.0), fast=2.0)  # half as fast as it was measured

    assert [node.speed for node in as_run(done).nodes] == [1.0, 0.5]


def test_photos_are_made_once_a_grade_and_have_their_size(tmp_path):
    bank = Bank(tmp_path)

    first, again, larger = bank.nearest(0.9), bank.nearest(0.92), bank.nearest(4.0)

    assert first == again
    assert first.megapixels == pytest.approx(0.9, rel=0.13)
    assert larger.megapixels == pytest.approx(4.0, rel=0.13)
    data = (tmp_path / "drive" / "benchmarks" / larger.sha256).read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format == "JPEG"
        assert picture.width * picture.height / 1e6 == larger.megapixels
    assert 0.05 < len(data) / (larger.megapixels * 1e6) < 0.5  # as detailed as a photo
    bank.remove()
    assert not (tmp_path / "drive" / "benchmarks").exists()


def test_no_photo_is_beyond_what_the_platform_takes(tmp_path):
    assert Bank(tmp_path).nearest(1e9).megapixels < 45.1


def test_a_fitted_trace_keeps_arrivals_and_has_its_photos_work(tmp_path):
    found = Calibration(((0.1, 0.01), (1.0, 0.1)), {})

    trace, photos = found.fitted((Task(0, 5, 1.5, 0.05),), Bank(tmp_path))

    assert (trace[0].job, trace[0].arrival) == (5, 1.5)
    assert trace[0].work == pytest.approx(photos[0].megapixels / 10)
