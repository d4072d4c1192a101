"""What every engine must do. The same tests run on the double, on Celery with real processes, and on
Kubernetes with an API in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from django.conf import settings as current

import jobfolder
from apps.accounts.models import User
from apps.cluster.engines import EngineError, Observation, PlacementSpec, get_engine
from apps.cluster.engines.celery import CeleryEngine
from apps.cluster.engines.kubernetes import KubernetesEngine
from apps.cluster.models import Node
from apps.processing.models import Job, Placement
from tests.api_client import wait_until
from tests.cluster_app.conftest import free_port
from tests.cluster_app.factories import make_job
from tests.cluster_app.worlds import CeleryWorld, FakeWorld, KubernetesWorld, World


@pytest.fixture(scope="module")
def celery_world(redis_url, tmp_path_factory) -> Iterator[CeleryWorld]:
    data_dir = tmp_path_factory.mktemp("volume")
    world = CeleryWorld(data_dir, redis_url)
    world.data_dir = data_dir
    yield world
    world.close()


@pytest.fixture(params=["fake", "celery", "kubernetes"])
def world(request, settings, db) -> Iterator[World]:
    settings.NODE_TIMEOUT = 1.0
    if request.param == "fake":
        world = FakeWorld()
    elif request.param == "kubernetes":
        world = KubernetesWorld()
        settings.KUBE_WORKER_CPU, settings.KUBE_WORKER_MEMORY = "1", "2Gi"
    else:
        world = request.getfixturevalue("celery_world")
        settings.DATA_DIR = world.data_dir
        settings.CELERY_BROKER_URL = request.getfixturevalue("redis_url")
    world.start_node("node-1")
    yield world
    if request.param == "kubernetes":
        world.close()


@dataclass
class Play:
    """A job in a world, and shorthands."""

    world: World
    job: Job

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def place(self, node: str = "node-1") -> str:
        worker = f"{self.job.id}-1-{next(self._numbers)}"
        Placement.objects.create(job=self.job, worker=worker, node=node)
        self.again(worker, node)
        return worker

    def again(self, worker: str, node: str = "node-1") -> None:
        self.world.engine.place(PlacementSpec(self.job.id, worker, node))

    def run(self, node: str = "node-1") -> str:
        worker = self.place(node)
        self.world.let_start(self.job.id, worker)
        return worker

    def seen(self, worker: str) -> Observation:
        return self.world.engine.observe(self.job.id)[worker]

    def wait_for(self, worker: str, state: str) -> Observation:
        def there() -> Observation | None:
            seen = self.seen(worker)
            return seen if seen.state == state else None

        return wait_until(there, 15, f"{worker} to be {state}", pause=0.02)

    def status_of(self, node: str) -> str:
        self.world.engine.sync_nodes()
        return Node.objects.get(name=node).status

    @property
    def folder(self) -> Path:
        return jobfolder.job_dir(current.DATA_DIR, self.job.id)


@pytest.fixture
def play(world: World, alice: User, settings) -> Iterator[Play]:
    job = make_job(alice)
    spec = jobfolder.JobSpec(job.id, alice.id, "blackwhite", "1")
    jobfolder.create(jobfolder.jobs_root(settings.DATA_DIR), spec, [])
    yield Play(world, job)
    jobfolder.request_stop(jobfolder.job_dir(settings.DATA_DIR, job.id))


def test_nodes_that_report_are_rows(world: World):
    world.engine.sync_nodes()
    world.engine.sync_nodes()

    node = Node.objects.get(name="node-1")
    assert (node.engine, node.status, node.slots) == (world.engine.name, "ready", 2)


def test_placed_worker_runs_and_beats(play: Play):
    worker = play.place()
    assert play.seen(worker).state in {"waiting", "running"}
    play.world.let_start(play.job.id, worker)

    seen = play.wait_for(worker, "running")

    assert (seen.heartbeat.worker, seen.heartbeat.node) == (worker, "node-1")
    assert list(play.world.engine.observe(play.job.id)) == [worker]


def test_placing_twice_starts_one(play: Play):
    worker = play.run()

    play.again(worker)
    play.again(worker)
    other = play.run()  # queued behind them on the same node

    assert play.world.starts(play.job.id) == [worker, other]
    assert play.seen(worker).state == "running"


def test_workers_of_other_jobs_are_not_seen(play: Play):
    play.run()

    assert play.world.engine.observe(Job.objects.create(owner=play.job.owner, total=1).id) == {}


def test_end_is_seen_with_its_reason(play: Play):
    worker = play.run()

    play.world.let_end(play.job.id, worker, "the app is gone")

    seen = play.wait_for(worker, "exited")
    assert seen.reason == "the app is gone"
    assert seen.heartbeat.state == "exited"


def test_worker_that_vanishes_is_lost(play: Play):
    worker = play.run()

    play.world.let_vanish(play.job.id, worker)

    seen = play.wait_for(worker, "lost")
    assert seen.reason.endswith(".")
    assert seen.heartbeat is not None


def test_ended_placements_need_no_looking_after(play: Play):
    """A worker that was never heard of again is not reported once its placement has ended."""
    worker = play.place("node-9")
    assert play.seen(worker).state == "lost"
    if isinstance(play.world, FakeWorld):
        return  # it remembers what it was given
    Placement.objects.filter(worker=worker).update(state=Placement.State.LOST)

    assert play.world.engine.observe(play.job.id) == {}


def test_worker_for_a_node_that_is_not_there_is_lost(play: Play):
    worker = play.place("node-9")

    seen = play.seen(worker)

    assert seen == Observation(
        "lost", "node-9 gives no sign of life at all; the worker had not started.", None
    )


def test_workers_stop_when_asked(play: Play):
    worker = play.run()

    play.world.engine.stop(play.job.id)
    play.world.engine.stop(play.job.id)

    assert (play.folder / "stop").exists()
    if isinstance(play.world, FakeWorld):
        play.world.let_end(play.job.id, worker, "stopped")
    assert play.wait_for(worker, "exited")


def test_cleaning_up_takes_the_folder(play: Play):
    play.world.engine.cleanup(play.job.id)
    play.world.engine.cleanup(play.job.id)
    play.world.engine.stop(play.job.id)

    assert not play.folder.exists()
    assert play.world.engine.observe(play.job.id) == {}


def test_death_of_a_node_takes_its_workers_and_its_row(play: Play):
    play.world.start_node("node-2")
    worker, other = play.run("node-2"), play.run("node-1")
    assert play.status_of("node-2") == "ready"

    play.world.kill_node("node-2")

    assert play.wait_for(worker, "lost").reason
    wait_until(lambda: play.status_of("node-2") == "lost", 15, "node-2 to be lost", pause=0.02)
    assert play.seen(other).state == "running"
    assert play.status_of("node-1") == "ready"


def test_celery_engine_says_when_the_broker_is_away(settings):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"

    with pytest.raises(EngineError, match="the broker does not take work for node-1"):
        CeleryEngine().place(PlacementSpec("job", "worker", "node-1"))


@pytest.mark.parametrize(("name", "kind"), [("celery", CeleryEngine), ("kubernetes", KubernetesEngine)])
def test_engine_is_chosen_by_the_settings(settings, name, kind):
    settings.ENGINE = name

    assert isinstance(get_engine(), kind)
    assert get_engine() is get_engine()
