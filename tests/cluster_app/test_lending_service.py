"""Slots that are lent to workers of no job, on an API in memory."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

import jobfolder
from apps.cluster import queries
from apps.cluster.engines import PlacementSpec
from apps.cluster.engines.kubernetes import KubernetesEngine
from apps.cluster.kube.api import Refused, Unreachable
from apps.cluster.models import LentSlot, NodeSample
from apps.cluster.services import lending, samples
from apps.processing.controller.chores import Chores
from jobfolder import Heartbeat
from tests.cluster_app.factories import make_job, make_placement
from tests.cluster_app.fake_cluster import FakeCluster

pytestmark = pytest.mark.django_db

JOB = "benchmark-1-node-1"


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    for name in ("node-1", "node-2"):
        cluster.add_node(name)
    return cluster


@pytest.fixture
def engine(cluster, settings, tmp_path) -> KubernetesEngine:
    settings.DATA_DIR, settings.KUBE_WORKER_CPU, settings.KUBE_TTL_SECONDS = tmp_path, "1", 60
    engine = KubernetesEngine(cluster, threads=False)
    engine.sync_nodes()
    return engine


@pytest.fixture
def worker(engine, settings) -> str:
    """Somebody asks for one; nobody has looked yet."""
    spec = jobfolder.JobSpec(JOB, "benchmarks", "blackwhite", "1")
    jobfolder.create(jobfolder.jobs_root(settings.DATA_DIR), spec, [])
    lending.ask(PlacementSpec(JOB, f"{JOB}-1", "node-1"), owner="benchmarks", processor="blackwhite")
    return f"{JOB}-1"


def over() -> None:
    """Who asked has died a while ago."""
    LentSlot.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_worker_is_started_on_its_node_with_nothing_but_its_photos(engine, cluster, worker):
    assert lending.reasons([JOB]) == {worker: lending.UNSEEN}

    lending.tend(engine)

    pod = cluster.job(worker)["spec"]["template"]["spec"]
    parts = [one["subPath"] for one in pod["containers"][0]["volumeMounts"] if "subPath" in one]
    assert parts == ["drive/benchmarks", f"jobs/{JOB}"]
    assert "node-1" in str(pod["affinity"])
    assert lending.reasons([JOB]) == {}


def test_looking_again_makes_nothing_more(engine, cluster, worker):
    lending.ask(PlacementSpec(JOB, worker, "node-2"), owner="benchmarks", processor="ascii")
    lending.tend(engine)
    LentSlot.objects.update(placed=None)  # killed before it was written down
    lending.tend(engine)

    assert cluster.names("jobs") == [worker]
    assert LentSlot.objects.get().node == "node-1"


def test_slot_is_taken_as_long_as_it_is_lent(engine, worker, alice):
    make_placement(make_job(alice), "node-2")

    assert {view.name: view.active for view in queries.node_views()} == {"node-1": 1, "node-2": 1}
    lending.tend(engine)
    assert queries.overview(alice).workers["node-1"][0].app_title == "Benchmark"
    samples._keep(timezone.now(), None)
    assert NodeSample.objects.filter(node="node-1").last().active == 1

    over()

    assert {view.name: view.active for view in queries.node_views()} == {"node-1": 0, "node-2": 1}
    assert "node-1" not in queries.overview(alice).workers


def test_sweep_leaves_it_alone_while_it_is_lent(engine, cluster, worker):
    lending.tend(engine)
    cluster.run(worker)

    engine.sweep()
    assert cluster.names("jobs") == [worker]
    assert cluster.names("configmaps") == [f"job-{JOB}"]

    over()
    engine.sweep()  # its Job
    engine.sweep()  # and what held it
    assert cluster.names("jobs") == cluster.names("configmaps") == []


def test_anchor_of_a_worker_that_is_about_to_be_made_is_kept(engine, cluster, worker):
    lending.tend(engine)
    cluster.delete("jobs", worker)

    engine.sweep()

    assert cluster.names("configmaps") == [f"job-{JOB}"]


def test_what_a_dead_one_left_is_removed(engine, cluster, worker, settings):
    lending.tend(engine)
    cluster.run(worker)
    over()

    lending.tend(engine)

    assert cluster.names("jobs") == cluster.names("pods") == cluster.names("configmaps") == []
    assert not jobfolder.job_dir(settings.DATA_DIR, JOB).exists()
    assert not LentSlot.objects.exists()


def test_what_is_renewed_stays(engine, cluster, worker):
    lending.tend(engine)
    LentSlot.objects.update(until=timezone.now() + timedelta(seconds=1))

    lending.renew([JOB])

    assert LentSlot.objects.get().until > timezone.now() + timedelta(seconds=lending.SECONDS / 2)
    over()
    lending.renew([JOB])  # too late: it may be gone already
    assert lending.of_job(JOB) == []


def test_given_back_before_it_was_started(engine, cluster, worker):
    lending.give_back(JOB)

    lending.tend(engine)

    assert cluster.names("jobs") == []
    assert not LentSlot.objects.exists()


def test_it_says_why_one_does_not_start(engine, cluster, worker, settings):
    lending.tend(engine)
    cluster.unschedulable(worker, "0/2 nodes are available: 1 Insufficient cpu, 1 didn't match affinity")

    lending.tend(engine)
    assert lending.reasons([JOB]) == {worker: "node-1 can't take it: not enough free CPU."}

    cluster.run(worker)
    now = time.time()
    beat = Heartbeat(worker, "node-1", 1, now, now, state="working")
    jobfolder.write_worker(jobfolder.job_dir(settings.DATA_DIR, JOB), beat)
    lending.tend(engine)
    assert lending.reasons([JOB]) == {}


def test_refusal_is_told_and_tried_again(engine, cluster, worker):
    cluster.refused["create", "jobs"] = Refused("jobs is forbidden")
    lending.tend(engine)
    assert "refuses the work" in lending.reasons([JOB])[worker]

    cluster.refused.clear()
    lending.tend(engine)
    assert (cluster.names("jobs"), lending.reasons([JOB])) == ([worker], {})


def test_server_that_is_away_changes_nothing(engine, cluster, worker):
    cluster.broken = Unreachable("no answer")
    with pytest.raises(Unreachable):
        lending.tend(engine)
    over()
    with pytest.raises(Unreachable):
        lending.tend(engine)
    assert LentSlot.objects.exists()  # its removal is still to be done


def test_node_that_the_scheduler_chose_is_learnt(engine, cluster):
    lending.ask(PlacementSpec("benchmark-2", "benchmark-2-1", ""), owner="benchmarks", processor="ascii")
    lending.tend(engine)
    assert "affinity" not in cluster.job("benchmark-2-1")["spec"]["template"]["spec"]
    cluster.run("benchmark-2-1", "node-2")

    lending.tend(engine)

    assert {view.name: view.active for view in queries.node_views()} == {"node-1": 0, "node-2": 1}


def test_a_round_without_any_costs_one_query(engine, django_assert_num_queries):
    with django_assert_num_queries(1):
        lending.tend(engine)


def test_controller_does_it_on_kubernetes_alone(engine, cluster, worker):
    now = 1000.0

    def run(chores: Chores) -> None:
        nonlocal now
        now += 0.6
        for _ in range(3):
            chores.run()

    chores = Chores(engine, clock=lambda: now, now=timezone.now)
    run(chores)
    assert cluster.names("jobs") == [worker]
    cluster.broken = Unreachable("no answer")
    over()
    run(chores)  # an error waits for the next round
    cluster.broken = None
    run(chores)
    assert cluster.names("jobs") == []
