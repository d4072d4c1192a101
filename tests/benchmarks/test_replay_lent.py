"""Real runs where only the controller starts workers: an API in memory, and pods that are processes here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jobfolder
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.replay import installation, lent
from apps.benchmarks.replay.calibration import Calibration
from apps.benchmarks.replay.dispatch import ReplayError
from apps.benchmarks.replay.queues import Work
from apps.benchmarks.services import cells, runs
from apps.cluster import queries
from apps.cluster.engines.kubernetes import KubernetesEngine
from apps.cluster.models import LentSlot
from apps.cluster.services import lending
from apps.processing.models import Job
from loadbalancer.workload import NodeSpec
from tests.benchmarks.conftest import finish
from tests.cluster_app.factories import make_job
from tests.cluster_app.fake_cluster import FakeCluster

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"images": 8, "seeds": 1, "mean": 0.02, "policies": ["pull", "round_robin", "scheduler"]}


class Nodes:
    """The controller's round and the nodes' kubelets, done whenever the replay beats."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.cluster = FakeCluster()
        for name in ("node-1", "node-2"):
            self.cluster.add_node(name, cpu="1")
        self.engine = KubernetesEngine(self.cluster, threads=False)
        self.engine.sync_nodes()
        self.pods: dict[str, subprocess.Popen[bytes]] = {}
        self.room = {"node-1": 9, "node-2": 9}
        self.nodes: dict[str, str] = {}  # by pod
        self.most: dict[str, int] = {}  # slots that were taken at once
        self.is_there = True

    def round(self) -> None:
        if not self.is_there:
            return
        lending.tend(self.engine)
        self.engine.sweep()
        for job in self.cluster.names("jobs"):
            if job not in self.pods:
                self._start(job)
        for view in queries.node_views():
            self.most[view.name] = max(view.active, self.most.get(view.name, 0))

    def _start(self, job: str) -> None:
        pod: dict[str, Any] = self.cluster.pod_of(job)["spec"]
        wanted = "node-1" if "node-1" in str(pod.get("affinity")) else "node-2"
        if not self.room[wanted]:
            self.cluster.unschedulable(job, "0/2 nodes are available: 2 Insufficient cpu")
            return
        self.room[wanted] -= 1
        parts = [one["subPath"] for one in pod["containers"][0]["volumeMounts"] if "subPath" in one]
        assert all((self.data_dir / part).exists() for part in parts), "the kubelet would make it as root"
        self.cluster.run(job, wanted)
        container = pod["containers"][0]
        words = [word.replace("/data", str(self.data_dir)) for word in container["args"]]
        words = [word.replace("$(NODE_NAME)", wanted) for word in words if word != "--supervise"]
        command = [sys.executable, *container["command"][1:], *words]
        self.pods[job] = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)


@pytest.fixture
def world(settings, tmp_path, monkeypatch) -> Iterator[Nodes]:
    settings.ENGINE, settings.DATA_DIR, settings.NODE_TIMEOUT = "kubernetes", tmp_path, 1.5
    settings.KUBE_WORKER_CPU, settings.KUBE_TTL_SECONDS = "1", 60
    found = Calibration(((0.05, 0.005), (1.0, 0.1)), {"node-1": 1.0, "node-2": 1.0})
    monkeypatch.setattr(installation, "calibrate", lambda *args, **options: found)
    monkeypatch.setattr(installation, "_LOOK", 0.05)
    monkeypatch.setattr(lent, "SURE", 0.5)
    world = Nodes(tmp_path)
    beat = lent.Lender.beat

    def beat_and_round(lender: lent.Lender) -> None:
        beat(lender)
        world.round()

    monkeypatch.setattr(lent.Lender, "beat", beat_and_round)
    yield world
    for pod in world.pods.values():
        pod.kill()
        pod.wait()


def test_real_run_from_its_start_to_its_table(staff, world):
    run = finish(runs.start(staff, kind="real", config=CONFIG))

    assert (run.status, run.reason, run.done) == ("succeeded", "", 5)
    for cell in run.cells.filter(scenario="all"):
        assert sorted(record[0] for record in cell.records) == list(range(8)), cell.policy
    assert {record[2] for record in run.cells.get(policy="pull").records} == {"node-1", "node-2"}
    assert {record[2] for record in run.cells.get(policy="scheduler").records} == {"node-2"}
    assert world.most == {"node-1": 1, "node-2": 2}
    world.round()
    world.round()
    assert world.cluster.names("jobs") == world.cluster.names("configmaps") == []
    assert not LentSlot.objects.exists()
    assert list((world.data_dir / "jobs").iterdir()) == []


def test_page_offers_the_clusters_nodes(staff_web, world):
    page = staff_web.get("/benchmarks/new/").content.decode()
    assert "node-1" in page
    assert "Photos are made to fit the work" in page

    answer = staff_web.post(
        "/benchmarks/new/",
        {"kind": "real", "title": "Here", "images": "8", "seeds": "1", "mean": "0.02", "policies": ["pull"]},
    )

    assert answer.status_code == 302
    assert [node["name"] for node in BenchmarkRun.objects.get(kind="real").nodes] == ["node-1", "node-2"]


def test_what_a_killed_cell_left_goes_and_the_next_does_it_anew(staff, world, monkeypatch):
    run = runs.start(staff, kind="real", config=CONFIG | {"policies": ["pull"], "alone": False})

    class Killed(BaseException):
        pass

    def die(*args, **options) -> None:
        raise Killed

    def no_clean_up(*args) -> None:
        """A killed process does nothing more."""

    with monkeypatch.context() as patch:
        patch.setattr("apps.benchmarks.replay.dispatch._Replay._wait_until_warm", die)
        patch.setattr("apps.benchmarks.replay.dispatch._Replay.clean_up", no_clean_up)
        with pytest.raises(Killed):
            cells.advance(run.pk)
    world.round()
    assert len(world.cluster.names("jobs")) >= 2

    LentSlot.objects.update(until=LentSlot.objects.first().created)  # SECONDS later
    BenchmarkRun.objects.update(leased_until=None, leased_by="")
    run = finish(run)

    assert (run.status, run.done) == ("succeeded", 1)
    assert run.cells.get().attempts == 2
    world.round()
    world.round()
    assert world.cluster.names("jobs") == []
    assert list((world.data_dir / "jobs").iterdir()) == []


def test_a_job_that_comes_in_gets_the_slots(staff, alice, world, monkeypatch):
    job = make_job(alice, status="succeeded")
    run = runs.start(staff, kind="real", config=CONFIG | {"images": 400, "mean": 0.1, "alone": False})
    ask = lending.ask

    def ask_and_send(*args, **options) -> None:
        ask(*args, **options)
        Job.objects.filter(id=job.id).update(status="queued")

    monkeypatch.setattr(lending, "ask", ask_and_send)

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.status, run.done, run.cells.first().attempts) == ("running", 0, 0)
    assert run.reason.startswith("Jobs are running")
    assert [view.active for view in queries.node_views()] == [0, 0]


def test_only_as_many_workers_as_there_is_room_for(world, settings):
    settings.KUBE_WORKER_CPU = "500m"
    world.room = {"node-1": 1, "node-2": 9}
    setup, lender = _setup(world)

    found = lent.rooms(setup, [NodeSpec("node-1", slots=2), NodeSpec("node-2", slots=2)], WORK, lender.beat)

    assert found == {"node-1": 1, "node-2": 2}


def test_a_node_without_room_is_told_with_its_reason(world, monkeypatch):
    monkeypatch.setattr(lent, "START_SECONDS", 2.0)
    world.room = {"node-1": 0, "node-2": 9}
    setup, lender = _setup(world)

    with pytest.raises(ReplayError, match=r"node-1 has no room for a worker\. node-1 can't take it"):
        lent.rooms(setup, [NodeSpec("node-1"), NodeSpec("node-2")], WORK, lender.beat)

    assert [view.active for view in queries.node_views()] == [0, 0]


def test_no_controller_is_told(world, monkeypatch):
    monkeypatch.setattr(lent, "START_SECONDS", 0.3)
    world.is_there = False
    setup, lender = _setup(world)

    with pytest.raises(ReplayError, match="The controller has not asked for it yet"):
        lent.rooms(setup, [NodeSpec("node-1")], WORK, lender.beat)


WORK = Work("blackwhite")


def _setup(world: Nodes):
    return lent.setup(world.data_dir, 1.5, limits=jobfolder.Limits(), patience=30.0)
