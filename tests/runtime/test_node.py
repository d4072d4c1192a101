"""A node with real processes: forked batches, deaths at every level, time limits, orderly and other ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

import jobfolder
from jobfolder import Heartbeat, Limits, chunks
from model_images.runtime import naming, settings, speed
from model_images.runtime.supervisor import GRACE, overdue
from tests.runtime.conftest import until

ROOT = Path(__file__).resolve().parents[2]


class Node:
    """A process that supervises placements, without a broker."""

    def __init__(self, data_dir: Path, *placements: str, **options: float) -> None:
        module = ["-m", "tests.runtime.drive_supervisor", str(data_dir), json.dumps(options), *placements]
        environment = dict(os.environ, BROKER_URL="redis://:secret@nowhere/0")
        self.process = subprocess.Popen(
            [sys.executable, *module], cwd=ROOT, stdout=subprocess.PIPE, env=environment
        )

    def ended(self) -> list[str]:
        out, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return json.loads(out)

    def family(self) -> set[int]:
        """Ids of the node's processes: itself, its fork server and batches."""
        return descendants(self.process.pid)


@pytest.fixture
def nodes(jobs) -> Iterator[list[Node]]:
    started: list[Node] = []
    yield started
    for node in started:
        node.process.kill()
        node.process.wait()
        if node.process.stdout:
            node.process.stdout.close()


@pytest.fixture
def node(jobs, nodes):
    def start(*placements: str, **options: float) -> Node:
        nodes.append(Node(jobs.data_dir, *placements, **options))
        return nodes[-1]

    return start


def parents() -> dict[int, int]:
    """Every living process and its parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            found[int(path.parent.name)] = int(fields[1])
    return found


def descendants(pid: int) -> set[int]:
    tree, found = parents(), {pid}
    while more := {child for child, parent in tree.items() if parent in found} - found:
        found |= more
    return found


def in_hand(folder: Path, worker: str = "w1") -> Heartbeat:
    """The heartbeat of a worker that has a photo in hand."""
    return until(lambda: (b := jobfolder.read_worker(folder, worker)) and b.image and b, "a photo in hand")


def test_placements_run_and_their_batches_are_locked_in(jobs, photos, node):
    folder = jobs.create(photos * 4)

    assert node("job1:w1", "job1:w2", "nosuch:w1").ended() == ["done", "done", "gone"]
    assert len(jobs.documents(folder)) == 32
    for beat in jobfolder.read_workers(folder):
        assert (beat.node, beat.state, beat.reason) == ("node-1", "exited", "done")
        assert {"rlimits", "no_new_privs"} <= set(beat.isolation)


def test_same_placement_twice_at_once_is_harmless(jobs, photos, node):
    folder = jobs.create(photos * 4)

    ended = node(*["job1:w1"] * 6).ended()

    assert set(ended) <= {"done", "duplicate"}
    assert "done" in ended
    assert len(jobs.documents(folder)) == 32


def test_same_placement_on_two_nodes_is_harmless(jobs, photos, node):
    gate = jobs.data_dir / "jobs" / "job1" / "go"
    folder = jobs.create(
        photos, each={0: {"act": "wait", "path": str(gate)}}, limits=Limits(image_seconds=60)
    )
    first = node("job1:w1")
    until(lambda: list(folder.glob("reached-*")), "a photo in hand")

    assert node("job1:w1").ended() == ["duplicate"]
    gate.touch()
    assert first.ended() == ["done"]
    assert chunks.strikes(folder) == {}


def test_batch_that_dies_is_started_again_and_the_photo_fails_in_the_end(jobs, photos, node):
    folder = jobs.create(photos, each={1: {"act": "die"}, 6: {"act": "die"}})

    assert node("job1:w1").ended() == ["done"]

    documents = jobs.documents(folder)
    assert len(documents) == 8
    failed = {i: d["error"]["code"] for i, d in documents.items() if d["status"] == "failed"}
    assert failed == {"image001": "worker_died", "image006": "worker_died"}


def test_code_that_no_signal_interrupts_is_killed_and_the_photo_fails(jobs, photos, node):
    folder = jobs.create(photos[:3], each={1: {"act": "spin"}}, limits=Limits(image_seconds=0.3))

    assert node("job1:w1", GRACE=0.5).ended() == ["done"]

    documents = jobs.documents(folder)
    assert [(d["error"] or {}).get("code") for d in documents.values()] == [None, "timed_out", None]
    assert chunks.strikes(folder) == {"image001": ["timed_out"]}


def test_kill_9_of_the_node_leaves_no_process(jobs, photos, node):
    folder = jobs.create(photos, {"act": "sleep"})
    victim = node("job1:w1", "job1:w2")
    beats = [in_hand(folder, worker) for worker in ("w1", "w2")]
    family = victim.family()
    assert {beat.pid for beat in beats} < family

    victim.process.kill()
    victim.process.wait()

    until(lambda: not family & parents().keys(), "all processes of the node gone")


def test_kill_9_of_the_fork_server_ends_its_batches_and_the_node_goes_on(jobs, photos, node):
    gate = jobs.data_dir / "jobs" / "job1" / "go"
    folder = jobs.create(photos, each={1: {"act": "wait", "path": str(gate)}})
    running = node("job1:w1")
    (reached,) = until(lambda: list(folder.glob("reached-*")), "a photo in hand")
    batch = int(reached.name.removeprefix("reached-"))

    os.kill(parents()[batch], signal.SIGKILL)
    until(lambda: batch not in parents(), "the batch gone")
    gate.touch()

    assert running.ended() == ["done"]
    assert chunks.strikes(folder) == {"image001": ["worker_died"]}
    assert {d["status"] for d in jobs.documents(folder).values()} == {"ok"}


def test_secrets_of_the_node_are_not_in_its_batches(jobs, photos, node):
    folder = jobs.create(photos, each={0: {"act": "sleep"}})
    running = node("job1:w1")
    beat = in_hand(folder)
    server = parents()[beat.pid]

    environment = Path(f"/proc/{server}/environ").read_bytes()

    assert b"secret" in Path(f"/proc/{running.process.pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert b"BROKER_URL" not in environment
    assert b"EXTRA_PROCESSORS" in environment


def test_stopping_node_gives_its_chunks_back_without_a_strike(jobs, photos, node):
    folder = jobs.create(photos, {"act": "spin"}, limits=Limits(image_seconds=60))
    running = node("job1:w1", LEAVE=0.3)
    in_hand(folder)

    running.process.terminate()

    assert running.ended() == ["terminated"]
    assert jobfolder.claims(folder) == []
    assert chunks.strikes(folder) == {}
    assert jobfolder.pending_count(folder) == 3


def test_job_that_cannot_start_is_given_up(jobs, photos, node):
    folder = jobs.create(photos, app="nosuch")
    other = jobs.create(photos, job="job2")
    (other / "workers" / "w1.lock").mkdir()  # the worker can't even take its name

    assert node("job1:w1", "job2:w1").ended() == [
        "error: this node has no app called 'nosuch'",
        "error: the worker died 3 times at its start",
    ]
    assert jobfolder.pending_count(folder) == 3
    beat = jobfolder.read_worker(other, "w1")
    assert (beat.state, beat.reason) == ("exited", "error: the worker died 3 times at its start")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"image": "a", "image_started": 95.0}, False),
        ({"image": "a", "image_started": 90.0 - GRACE - 0.1}, True),
        ({"state": "starting", "started": 90.0 - GRACE - 0.1}, True),
        ({"started": 1.0}, False),
        ({"time": 90.0 - GRACE - 0.1}, True),
        ({"pid": 2, "time": 1.0}, False),
        ({"state": "exited", "time": 1.0}, False),
    ],
)
def test_overdue(changes, expected):
    values = {"pid": 1, "started": 50.0, "time": 99.8, "state": "working"} | changes

    assert overdue(Heartbeat("w1", "n1", **values), 1, limit=10.0, now=100.0) is expected
    assert not overdue(None, 1, limit=10.0)


# --- Settings ---------------------------------------------------------------------------------------


def test_cores():
    assert settings.parse_cores("0") == {0}
    assert settings.parse_cores("0,2-4") == {0, 2, 3, 4}
    for wrong in ("a", "1-", "4096", "-1"):
        with pytest.raises(settings.BadSetting, match="NODE_CORES must be cores"):
            settings.pin(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("NODE_SLOTS", "0"), ("NODE_SLOTS", "x"), ("NODE_TIMEOUT", "nan"), ("NODE_NAME", "a/b"),
     ("BROKER_URL_FILE", "/nonexistent")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(settings.BadSetting, match=f"{name} must be"):
        settings.node_settings()


def test_secret_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "url").write_text("redis://:pw@host/1\n")
    monkeypatch.setenv("BROKER_URL_FILE", str(tmp_path / "url"))

    assert settings.node_settings().broker_url == "redis://:pw@host/1"


def test_speed_is_measured():
    assert speed.measure(0.02) > 1


def test_name_is_held_by_one_node(tmp_path):
    lock = naming.take_name(tmp_path, "node-1")

    with pytest.raises(naming.NameTaken, match="node-1"):
        naming.take_name(tmp_path, "node-1")
    os.close(lock)
    os.close(naming.take_name(tmp_path, "node-1"))


# --- With Celery and a real Redis -------------------------------------------------------------------

REDIS = shutil.which("redis-server") or shutil.which("redis-server", path=str(Path(sys.prefix) / "bin"))
needs_redis = pytest.mark.skipif(REDIS is None, reason="no redis-server on this machine")


@pytest.fixture
def broker(tmp_path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: _answers(port), "redis answers")
    yield f"redis://127.0.0.1:{port}/0"
    redis.kill()
    redis.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def celery_node(broker: str, data_dir: Path) -> subprocess.Popen[bytes]:
    values = {"BROKER_URL": broker, "DATA_DIR": str(data_dir), "NODE_NAME": "node-1", "NODE_SLOTS": "2",
              "NODE_CORES": "0"}  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "model_images.runtime", "node"]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | values, stderr=subprocess.PIPE)


@needs_redis
def test_celery_node_from_placement_to_leaving(jobs, photos, broker):
    folder = jobs.create(photos * 4)
    slow = jobs.create(photos * 9, {"act": "sleep"}, job="slow", limits=Limits(image_seconds=0.5))
    node = celery_node(broker, jobs.data_dir)
    twin = None
    try:
        (beat,) = until(lambda: jobfolder.read_nodes(jobs.data_dir), "the node's heartbeat")
        assert (beat.node, beat.engine, beat.slots, beat.cores, beat.pid) == (
            "node-1", "celery", 2, "0", node.pid,
        )  # fmt: skip
        assert beat.speed > 1
        assert os.sched_getaffinity(node.pid) == {0}
        twin = celery_node(broker, jobs.data_dir)
        with Celery(broker=broker) as client:
            for job, worker in (("job1", "w1"), ("job1", "w2"), ("slow", "w1"), ("nosuch", "w1")):
                client.send_task(
                    "model_images.node.run_batch", args=[job, worker], queue="node-1", ignore_result=True
                )
        until(lambda: jobfolder.is_finished(folder), "the job done")
        assert len(jobs.documents(folder)) == 32
        until(lambda: "w1" in jobfolder.read_nodes(jobs.data_dir)[0].running, "the slot taken")
        assert os.sched_getaffinity(in_hand(slow).pid) == {0}

        _, complaint = twin.communicate(timeout=20)
        assert twin.returncode == 1
        assert b"a node called node-1 is running already" in complaint
        assert time.time() - jobfolder.read_nodes(jobs.data_dir)[0].time < 2

        node.terminate()
        _, log = node.communicate(timeout=20)
        assert node.returncode == 0, log.decode()
        assert jobfolder.read_nodes(jobs.data_dir) == []
        assert jobfolder.read_worker(slow, "w1").reason == "terminated"
        assert jobfolder.claims(slow) == []
    finally:
        for process in filter(None, (node, twin)):
            process.kill()
            process.wait()
            process.stderr.close()
