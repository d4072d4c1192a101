"""Traces on real workers: processes of the runtime, started by an engine that needs no broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobfolder
from apps.benchmarks.replay.calibration import as_run, calibrate
from apps.benchmarks.replay.dispatch import Fault, ReplayError, Setup, replay
from apps.benchmarks.replay.photos import Bank
from apps.benchmarks.replay.queues import Work
from apps.cluster.engines import PlacementSpec
from jobfolder import NodeHeartbeat
from loadbalancer.report.measures import measure
from loadbalancer.workload import NodeSpec, Task

ROOT = Path(__file__).resolve().parents[2]
NODES = (NodeSpec("node-1"), NodeSpec("node-2"))
WORK = Work("blackwhite")


class LocalEngine:
    """Each placement is a process on this machine. A node is alive while the test says so."""

    name = "local"

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.placed: list[PlacementSpec] = []
        self.processes: dict[str, list[subprocess.Popen[bytes]]] = {}
        self.nodes = {"node-1", "node-2"}
        self.ended = threading.Event()

    def place(self, spec: PlacementSpec) -> None:
        self.placed.append(spec)
        folder = jobfolder.job_dir(self.data_dir, spec.job_id)
        command = [sys.executable, "-m", "model_images.runtime", "batch", "--job", str(folder)]
        process = subprocess.Popen(
            [*command, "--worker", spec.worker, "--node", spec.node], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        self.processes.setdefault(spec.node, []).append(process)

    def cleanup(self, job_id: str) -> None:
        jobfolder.delete(jobfolder.job_dir(self.data_dir, job_id))

    def kill(self, node: str) -> None:
        self.nodes.discard(node)
        for process in self.processes[node]:
            process.send_signal(signal.SIGKILL)

    def beat(self) -> None:
        while not self.ended.wait(0.3):
            now = time.time()
            for node in sorted(self.nodes):
                beat = NodeHeartbeat(node, self.name, 1, 1.0, "", os.getpid(), now, now)
                jobfolder.write_node(self.data_dir, beat)


@pytest.fixture
def engine(tmp_path) -> Iterator[LocalEngine]:
    engine = LocalEngine(tmp_path)
    pulse = threading.Thread(target=engine.beat)
    pulse.start()
    yield engine
    engine.ended.set()
    pulse.join()
    for processes in engine.processes.values():
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture
def setup(engine, tmp_path) -> Setup:
    return Setup(engine, tmp_path, timeout=1.5, patience=30.0)


def trace_of(count: int, every: float = 0.0) -> tuple[Task, ...]:
    return tuple(Task(number, number, number * every, 0.02) for number in range(count))


def photos_of(setup: Setup, count: int):
    photo = Bank(setup.data_dir).nearest(0.2)
    return [photo] * count


def test_a_pushed_image_is_bound_when_it_arrives_and_a_pulled_one_when_a_worker_is_free(setup, engine):
    trace = trace_of(12)

    pushed = replay(setup, trace, NODES, "round_robin", work=WORK, photos=photos_of(setup, 12), warm=True)
    pulled = replay(setup, trace, NODES, "pull", work=WORK, photos=photos_of(setup, 12), warm=True)

    assert [record.node for record in pushed.records] == ["node-1", "node-2"] * 6
    assert all(record.placed < 0.2 and record.placed <= record.start for record in pushed.records)
    assert (pushed.decisions, pulled.decisions) == (12, 2)  # images; workers
    assert [record.task for record in pulled.records] == list(range(12))
    assert all(record.placed == record.start for record in pulled.records)
    for outcome in (pushed, pulled):
        assert outcome.unfinished == ()
        assert all(0 <= record.start < record.end for record in outcome.records)
        assert measure(as_run(outcome), trace).over_bound >= 0.99
    assert len({spec.job_id for spec in engine.placed}) == 3  # a queue a node, and one for all
    assert list((setup.data_dir / "jobs").iterdir()) == []


def test_arrivals_keep_their_times_and_do_not_wait_for_each_other(setup):
    trace = trace_of(8, every=0.1)

    outcome = replay(
        setup, trace, NODES[:1], "least_connections", work=WORK, photos=photos_of(setup, 8), warm=True
    )

    for record in outcome.records:
        assert record.arrival <= record.placed < record.arrival + 0.1
        assert record.start >= record.placed - 0.01


def test_what_a_killed_node_had_is_done_by_another(setup, engine):
    trace = trace_of(10, every=0.02)

    def die() -> None:
        engine.kill("node-1")

    outcome = replay(
        setup,
        trace,
        NODES,
        "round_robin",
        work=WORK,
        photos=photos_of(setup, 10),
        faults=[Fault(0.0, die)],  # before it could begin
    )

    assert outcome.unfinished == ()
    assert {record.node for record in outcome.records} == {"node-2"}
    moved = [record for record in outcome.records if record.placed > record.arrival + 1]
    assert [record.task for record in moved] == [0, 2, 4, 6, 8]  # bound anew when the death was noticed


def test_a_node_that_is_back_before_its_death_is_noticed_gets_its_share_of_what_waited(setup, engine):
    def restart() -> None:
        engine.kill("node-1")
        engine.nodes.add("node-1")

    outcome = replay(
        setup,
        trace_of(60),
        NODES,
        "round_robin",
        work=WORK,
        photos=photos_of(setup, 60),
        warm=True,
        faults=[Fault(0.0, restart)],
    )

    assert (outcome.unfinished, outcome.repeated) == ((), 0)
    moved = [record for record in outcome.records if record.placed > 1]
    assert moved[0].task % 2 == 0  # node-1's
    assert [record.task for record in moved] == list(range(moved[0].task, 60, 2))
    assert {record.node for record in moved} == {"node-1", "node-2"}


def test_an_image_that_fails_ends_the_replay_in_words_and_leaves_nothing(setup):
    photo = Bank(setup.data_dir).nearest(0.2)
    (setup.data_dir / "drive" / "benchmarks" / photo.sha256).write_bytes(b"no photo")

    with pytest.raises(ReplayError, match="An image failed"):
        replay(setup, trace_of(2), NODES[:1], "pull", work=WORK, photos=[photo] * 2)

    assert list((setup.data_dir / "jobs").iterdir()) == []


def test_an_app_that_the_nodes_lack_is_told(setup):
    with pytest.raises(ReplayError, match="can't run this: error: this node has no app called 'nothing'"):
        replay(setup, trace_of(1), NODES[:1], "pull", work=Work("nothing"), photos=photos_of(setup, 1))


def test_nodes_and_photos_are_measured_with_the_work_itself(setup):
    bank = Bank(setup.data_dir)

    found = calibrate(setup, NODES, WORK, bank, smallest=0.2, largest=3.0, tries=1)

    assert set(found.speeds) == {"node-1", "node-2"}
    assert min(found.speeds.values()) == 1.0
    assert [work for _, work in found.points] == sorted(work for _, work in found.points)
    trace, photos = found.fitted((Task(0, 0, 0.0, found.work(2.0)),), bank)
    assert photos[0].megapixels == pytest.approx(2.0, rel=0.13)  # the nearest grade
    assert trace[0].work == pytest.approx(found.work(photos[0].megapixels))
