"""The Kubernetes engine on an API in memory: what it makes, what it says, what it removes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from django.utils import timezone

import jobfolder
from apps.accounts.models import User
from apps.cluster.engines import EngineError, Observation, PlacementSpec
from apps.cluster.engines.kubernetes import KubernetesEngine
from apps.cluster.kube.api import Unreachable
from apps.cluster.models import Node
from apps.cluster.queries import node_views
from apps.cluster.services.balancing import Choices
from apps.processing.controller import placing
from apps.processing.models import Job, Placement
from jobfolder import Chunk, ChunkImage, Heartbeat, chunks
from loadbalancer.policy import NodeView
from tests.cluster_app.factories import make_job
from tests.cluster_app.fake_cluster import FakeCluster

AWAY = Unreachable("the cluster's API server does not answer: connection refused")
SHA = "ab" * 32


@dataclass
class Play:
    """A job on three nodes, and a clock that tests move."""

    job: Job
    data_dir: str
    cluster: FakeCluster = field(default_factory=FakeCluster)
    later: float = 0.0

    def __post_init__(self) -> None:
        self.engine = KubernetesEngine(self.cluster, lambda: time.time() + self.later, threads=False)
        for name in ("node-1", "node-2", "node-3"):
            self.cluster.add_node(name)
        self.folder = jobfolder.job_dir(self.data_dir, self.job.id)

    def place(self, node: str = "node-1") -> str:
        worker = f"{self.job.id}-1-{Placement.objects.count() + 1}"
        Placement.objects.create(job=self.job, worker=worker, node=node)
        self.engine.place(PlacementSpec(self.job.id, worker, node))
        return worker

    def run(self, node: str = "node-1", image: str | None = None) -> str:
        worker = self.place(node)
        self.cluster.run(worker)
        self.beat(worker, node, image=image)
        return worker

    def beat(self, worker: str, node: str, **fields) -> None:
        now = time.time() + self.later
        beat = Heartbeat(worker, node, 1, now - 1, now, **({"state": "working"} | fields))
        jobfolder.write_worker(self.folder, beat)

    def seen(self, worker: str) -> Observation:
        return self.engine.observe(self.job.id)[worker]


@pytest.fixture
def play(alice: User, settings) -> Play:
    settings.KUBE_START_SECONDS, settings.NODE_TIMEOUT = 60, 5.0
    job = make_job(alice, policy="pull")
    spec = jobfolder.JobSpec(job.id, alice.id, "blackwhite", "1")
    images = tuple(ChunkImage(f"image{n}", n, f"{n}.jpg", SHA) for n in range(3))
    jobfolder.create(jobfolder.jobs_root(settings.DATA_DIR), spec, [Chunk("1-0001", images)])
    return Play(job, settings.DATA_DIR)


class TestPlacing:
    def test_a_job_on_the_chosen_node_with_the_familys_image(self, play, settings):
        settings.KUBE_IMAGE = "registry.example.com/{family}:7"

        worker = play.place("node-2")

        made = play.cluster.job(worker)
        pod = made["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == "registry.example.com/filters:7"
        assert "node-2" in str(pod["affinity"])
        anchor = play.cluster.get("configmaps", f"job-{play.job.id}")
        assert made["metadata"]["ownerReferences"][0]["uid"] == anchor["metadata"]["uid"]

    def test_again_makes_nothing_more(self, play):
        worker = play.place()
        play.engine.place(PlacementSpec(play.job.id, worker, "node-1"))
        other = play.place("node-2")

        assert play.cluster.names("jobs") == sorted([worker, other])
        assert play.cluster.names("configmaps") == [f"job-{play.job.id}"]

    def test_weights_are_mounted_alone(self, play):
        Job.objects.filter(id=play.job.id).update(app="some-listing", processor="yolov5", weights=SHA)

        worker = play.place()

        container = play.cluster.job(worker)["spec"]["template"]["spec"]["containers"][0]
        assert container["image"].startswith("pixelyard/yolov5:")
        assert f"weights/{SHA}.onnx" in [mount.get("subPath") for mount in container["volumeMounts"]]

    def test_app_without_an_image_is_refused(self, play):
        Job.objects.filter(id=play.job.id).update(app="gone")

        with pytest.raises(EngineError, match="no container image is known for the app gone"):
            play.place()

    def test_server_that_is_away_says_so_to_the_owner(self, play):
        play.cluster.broken = AWAY

        with pytest.raises(EngineError) as caught:
            play.place()
        assert caught.value.words == "the cluster does not answer."
        assert play.cluster.names("jobs") == []


class TestWaiting:
    def test_owner_is_told_what_the_pod_waits_for(self, play):
        worker = play.place("node-2")
        assert not play.seen(worker).stuck

        play.cluster.hold(worker, "ErrImagePull", 'image "a/b:1": not found')

        seen = play.seen(worker)
        assert (seen.state, seen.stuck) == ("waiting", True)
        assert seen.reason == "node-2 can't get the image: a/b:1: it does not exist."
        settled(play)
        assert Placement.objects.get(worker=worker).reason == seen.reason

    def test_reason_goes_when_the_worker_starts(self, play):
        worker = play.place()
        play.cluster.hold(worker, "ErrImagePull", "not found")
        settled(play)
        play.cluster.run(worker)
        play.beat(worker, "node-1")

        settled(play)

        placement = Placement.objects.get(worker=worker)
        assert (placement.state, placement.reason) == ("running", "")

    def test_pod_that_can_not_start_is_given_up(self, play):
        worker = play.place()
        play.cluster.hold(worker, "ImagePullBackOff", "Back-off")
        play.later = 59
        assert play.seen(worker).state == "waiting"

        play.later = 61

        seen = play.seen(worker)
        assert seen.state == "lost"
        assert seen.reason.startswith("Not started within 61 s: node-1 can't get the image")

    def test_node_without_room_is_given_up_sooner(self, play):
        worker = play.place()
        play.cluster.unschedulable(
            worker, "0/3 nodes are available: 1 Insufficient cpu, 2 didn't match affinity"
        )
        assert play.seen(worker).state == "waiting"

        play.later = 16

        assert play.seen(worker).reason == (
            "Not started within 16 s: node-1 can't take it: not enough free CPU."
        )

    def test_node_that_is_starting_it_has_time(self, play):
        worker = play.place()
        play.cluster.schedule(worker)
        play.later = 200
        seen = play.seen(worker)
        assert (seen.state, seen.reason) == ("waiting", "node-1 is starting its container.")

        play.later = 301

        assert play.seen(worker).state == "lost"

    def test_quota(self, play):
        play.cluster.quota = (
            "Error creating: pods is forbidden: exceeded quota: jobs, requested: pods=1, used: pods=2, "
            "limited: pods=2"
        )
        worker = play.place()

        seen = play.seen(worker)

        assert (seen.reason, seen.stuck) == ("the quota jobs is used up (pods: 2 of 2 in use).", True)

    def test_node_that_falls_silent_before_the_start(self, play):
        worker = play.place("node-2")
        play.cluster.schedule(worker)
        play.cluster.lose_node("node-2")

        assert play.seen(worker).reason == "node-2 does not answer; the worker had not started."


class TestEnds:
    def test_out_of_memory_counts_for_the_photo_in_hand(self, play):
        worker = play.run(image="image0")
        assert chunks.claim(play.folder, worker)
        play.cluster.end(worker, 137, "OOMKilled")

        seen = play.seen(worker)
        assert (seen.state, seen.strike) == ("lost", "out_of_memory")
        assert seen.reason == "It needed more memory than a worker has (2Gi)."
        settled(play)
        assert chunks.strikes(play.folder) == {"image0": ["out_of_memory"]}
        assert jobfolder.pending(play.folder) == ["1-0001"]

    def test_pod_deleted_by_hand(self, play):
        worker = play.run()
        play.cluster.delete_pod(worker)
        assert play.seen(worker).state == "running"  # it may be finishing its photo

        play.later = 3

        seen = play.seen(worker)
        assert (seen.state, seen.reason) == ("lost", "Its pod was deleted by hand.")

    def test_pod_that_the_job_has_replaced_works_under_its_name(self, play):
        worker = play.run()
        play.cluster.delete_pod(worker, replace=True)
        play.cluster.run(worker)
        play.beat(worker, "node-1")

        assert play.seen(worker).state == "running"

    def test_job_deleted_by_hand(self, play):
        worker, waiting = play.run(), play.place("node-2")
        play.cluster.delete("jobs", worker)
        play.cluster.delete("jobs", waiting)
        play.later = 3

        assert play.seen(worker).reason == "Its Job was deleted by hand."
        assert play.seen(waiting).reason == "Its Job was deleted by hand before it started."

    def test_eviction_deadline_and_drain_are_told_apart(self, play):
        evicted, drained = play.run(), play.run("node-2")
        message = "The node was low on resource: memory."
        play.cluster.end(evicted, 137, "Error", reason="Evicted", message=message)
        play.beat(drained, "node-2", state="exited", reason="terminated")

        assert play.seen(evicted).reason == f"node-1 ended it to save itself: {message}"
        assert play.seen(drained).reason == "Its pod was ended: deleted, or its node was drained."

    def test_pod_that_ends_before_its_first_sign_of_life(self, play):
        failed, empty = play.place(), play.place("node-2")
        play.cluster.run(failed)
        play.cluster.end(failed, 2)
        play.cluster.run(empty)
        play.cluster.end(empty, 0)

        assert play.seen(failed).reason == "It had not started. Its container ended with status 2."
        assert play.seen(empty).state == "exited"

    def test_worker_whose_node_is_lost(self, play):
        worker = play.run("node-2")
        play.cluster.lose_node("node-2")
        assert play.seen(worker).state == "running"

        play.later = 6

        assert play.seen(worker).reason == "node-2 does not answer."


class TestServerAway:
    def test_nothing_is_lost_because_of_it(self, play):
        running, waiting = play.run(), play.place("node-2")
        play.engine.sync_nodes()
        play.cluster.broken = AWAY
        play.later = 100
        play.beat(running, "node-1")

        assert play.seen(running).state == "running"
        seen = play.seen(waiting)
        assert (seen.state, seen.stuck) == ("waiting", True)
        assert seen.reason.startswith("The cluster does not answer")
        play.engine.sync_nodes()
        assert set(Node.objects.values_list("state", flat=True)) == {"ready"}

    def test_ends_are_heard_all_the_same(self, play):
        worker = play.run()
        play.cluster.broken = AWAY
        play.beat(worker, "node-1", state="exited", reason="done")

        assert play.seen(worker).state == "exited"

    def test_jobs_can_be_stopped_and_swept_later(self, play):
        worker = play.place()
        assert play.seen(worker).state == "waiting"
        play.cluster.broken = AWAY
        with pytest.raises(EngineError):
            play.engine.sweep()
        play.engine.stop(play.job.id)
        assert (play.folder / "stop").exists()
        assert play.seen(worker).reason == "It was told to stop before it started."
        settled(play)
        play.cluster.broken = None

        play.engine.sweep()

        assert play.cluster.names("jobs") == []


class TestStopping:
    def test_waiting_pods_are_deleted_at_once_and_running_ones_finish(self, play):
        running, waiting = play.run(), play.place("node-2")
        play.cluster.hold(waiting, "ErrImagePull")

        play.engine.stop(play.job.id)
        play.engine.stop(play.job.id)

        assert play.cluster.names("jobs") == [running]
        assert play.seen(waiting).state == "exited"
        assert play.seen(running).state == "running"
        assert play.cluster.calls.count(("delete", "jobs")) == 1

    def test_web_process_asks_for_it_without_the_server(self, play):
        """It has no rights, and nothing to connect to."""
        engine = KubernetesEngine(play.cluster, threads=True)

        engine.stop(play.job.id)

        assert (play.folder / "stop").exists()
        assert play.cluster.calls == []


class TestSweeping:
    def test_jobs_of_live_placements_stay(self, play):
        worker = play.run()
        play.engine.sweep()

        assert play.cluster.names("jobs") == [worker]

    def test_what_nobody_wants_any_more_goes(self, play):
        worker = play.run()
        Placement.objects.update(state=Placement.State.LOST)

        play.engine.sweep()

        assert worker not in play.cluster.names("jobs")
        assert play.cluster.names("pods") == []
        assert play.cluster.names("configmaps") == [f"job-{play.job.id}"]  # it may need more workers

    def test_ended_ones_stay_a_while_for_their_logs(self, play, settings):
        settings.KUBE_TTL_SECONDS = 60
        worker = play.run()
        play.cluster.end(worker, 0)
        Placement.objects.update(state=Placement.State.EXITED)
        play.engine.sweep()
        assert play.cluster.names("jobs") == [worker]

        play.later = 61
        play.engine.sweep()

        assert play.cluster.names("jobs") == []

    def test_anchor_goes_last_and_only_when_the_job_is_over(self, play):
        play.run()
        Placement.objects.update(state=Placement.State.EXITED)
        Job.objects.update(status="succeeded")
        play.engine.sweep()
        play.engine.sweep()

        assert play.cluster.names("configmaps") == play.cluster.names("jobs") == []

    def test_objects_of_a_job_that_was_removed(self, play):
        play.run()
        play.job.delete()

        play.engine.sweep()
        play.engine.sweep()

        assert play.cluster.names("configmaps") == play.cluster.names("jobs") == []

    def test_other_peoples_objects_are_left_alone(self, play):
        body = {
            "metadata": {"name": "theirs", "labels": {}},
            "spec": {"template": {"metadata": {"labels": {}}}},
        }
        play.cluster.create("jobs", body)

        play.engine.sweep()

        assert play.cluster.names("jobs") == ["theirs"]

    def test_cleanup_takes_objects_and_folder(self, play):
        play.run()

        play.engine.cleanup(play.job.id)
        play.engine.cleanup(play.job.id)

        assert play.cluster.names("jobs") == play.cluster.names("pods") == []
        assert not play.folder.exists()


class TestNodes:
    def test_capacity_becomes_slots(self, play, settings):
        settings.KUBE_WORKER_CPU, settings.KUBE_WORKER_MEMORY = "500m", "3Gi"

        play.engine.sync_nodes()

        node = Node.objects.get(name="node-1")
        assert (node.engine, node.slots, node.cores, node.weight) == ("kubernetes", 2, "2", 1)

    def test_cordon_and_staffs_decisions_stand_beside_each_other(self, play):
        play.engine.sync_nodes()
        Node.objects.filter(name="node-1").update(cordoned=True, weight=7)
        play.cluster.node("node-1")["spec"]["unschedulable"] = True
        play.cluster.node("node-2")["spec"]["unschedulable"] = True
        play.cluster.node("node-3")["spec"]["taints"] = [{"key": "gpu", "effect": "NoSchedule"}]

        play.engine.sync_nodes()

        found = {
            node.name: (node.cordoned, node.weight, node.closed, node.status) for node in Node.objects.all()
        }
        assert found == {
            "node-1": (True, 7, "cordoned in Kubernetes", "cordoned"),
            "node-2": (False, 1, "cordoned in Kubernetes", "cordoned"),
            "node-3": (False, 1, "tainted in Kubernetes: gpu", "cordoned"),
        }
        play.cluster.node("node-2")["spec"].clear()
        play.engine.sync_nodes()
        assert Node.objects.get(name="node-2").status == "ready"

    def test_too_small_unready_and_other_engines_nodes(self, play):
        Node.objects.create(name="old", engine="celery")
        play.cluster.add_node("tiny", cpu="100m")
        play.cluster.add_node("x" * 70)
        play.cluster.lose_node("node-3")

        play.engine.sync_nodes()

        assert {node.name: node.status for node in Node.objects.all()} == {
            "node-1": "ready",
            "node-2": "ready",
            "old": "lost",
            "tiny": "cordoned",
        }

    def test_nothing_is_written_while_nothing_changes(self, play, django_assert_num_queries):
        play.engine.sync_nodes()

        with django_assert_num_queries(0):
            play.engine.sync_nodes()


class TestScheduler:
    def test_pod_is_bound_to_no_node_and_the_placement_learns_it(self, play, settings):
        settings.ENGINE = "kubernetes"
        Job.objects.update(policy="scheduler")
        play.job.refresh_from_db()
        play.engine.sync_nodes()

        placing.place(play.job, Choices(node_views(), "jobs", 1), play.engine, timezone.now())

        placement = Placement.objects.get()
        assert placement.node == ""
        assert "affinity" not in play.cluster.job(placement.worker)["spec"]["template"]["spec"]
        play.cluster.run(placement.worker, "node-3")
        play.beat(placement.worker, "node-3")
        settled(play)
        placement.refresh_from_db()
        assert (placement.node, placement.state) == ("node-3", "running")

    def test_workers_without_a_node_take_a_slot_somewhere(self, play):

        views = [NodeView("a", slots=2, active=1), NodeView("b", slots=2), NodeView("c", active=1)]
        unplaced = [Placement(node=""), Placement(node=""), Placement(node="c"), Placement(node="")]

        counted = placing.with_unplaced(views, unplaced)

        assert [view.active for view in counted] == [2, 2, 1]


def settled(play: Play) -> None:
    live = Placement.objects.filter(state__in=placing.LIVE)
    placing.settle(play.job, live, play.engine, timezone.now())
