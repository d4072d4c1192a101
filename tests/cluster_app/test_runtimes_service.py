"""Scaling the preview servers: woken by who needs them, put to sleep by nobody needing them, and why not."""

from __future__ import annotations

import time

import pytest

import jobfolder
from apps.cluster import waking
from apps.cluster.kube.api import Listing, NotThere, Unreachable
from apps.cluster.services.runtimes import Runtimes
from jobfolder import EndpointHeartbeat

NOW = 1_800_000_000.0
LABELS = {"app.kubernetes.io/name": "pixelyard-runtime"}


class Cluster:
    """Deployments by family, as many pods as tests say, and warnings; scaled as asked."""

    namespace = "pixelyard-jobs"

    def __init__(self, *families: str) -> None:
        self.replicas = dict.fromkeys(families, 0)
        self.ready: set[str] = set()
        self.pods: list[dict] = []
        self.events: list[dict] = []
        self.asked: list[str] = []
        self.away = False

    def list(self, kind: str, labels: str = "", fields: str = "") -> Listing:
        self.asked.append(kind)
        if self.away:
            raise Unreachable("away")
        return Listing(
            {"deployments": self._deployments(), "pods": self.pods, "events": self.events}[kind], "1"
        )

    def scale(self, deployment: str, replicas: int) -> None:
        family = deployment.removeprefix("runtime-")
        if family not in self.replicas:
            raise NotThere("gone")
        self.replicas[family] = replicas

    def _deployments(self) -> list[dict]:
        return [
            {
                "metadata": {"name": f"runtime-{family}", "labels": {"pixelyard/family": family}},
                "spec": {"replicas": replicas},
                "status": {"readyReplicas": replicas} if family in self.ready and replicas else {},
            }
            for family, replicas in self.replicas.items()
        ]


def pod(family: str, *, node: str = "node-1", **status) -> dict:
    labels = LABELS | {"pixelyard/family": family}
    metadata = {"name": f"runtime-{family}-1-a", "uid": f"uid-{family}", "labels": labels}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": status}


def pulls(reason: str = "ErrImagePull") -> dict:
    message = 'rpc error: failed to pull image "pixelyard/filters:9": not found'
    return {"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster("filters", "gan")


@pytest.fixture
def clock() -> list[float]:
    return [NOW]


@pytest.fixture
def runtimes(cluster, clock, settings) -> Runtimes:
    settings.RUNTIME_IDLE_SECONDS = 600
    return Runtimes(lambda: ["filters", "gan"], cluster, lambda: clock[0])


def test_nobody_asks_and_nobody_wakes(runtimes, cluster):
    runtimes.tend()

    assert cluster.replicas == {"filters": 0, "gan": 0}
    assert cluster.asked == ["deployments"]


def test_who_is_wanted_is_woken_and_stays_as_the_autoscaler_has_it(runtimes, cluster, settings):
    waking.note("filters", NOW - 1)

    runtimes.tend()
    assert cluster.replicas == {"filters": 1, "gan": 0}
    assert (settings.DATA_DIR / "endpoints").is_dir(), "what pods mount is there before they are"

    cluster.replicas["filters"] = 3
    runtimes.tend()
    assert cluster.replicas["filters"] == 3


def test_idle_family_is_put_to_sleep_and_woken_again(runtimes, cluster, clock):
    cluster.ready = {"filters"}
    cluster.replicas["filters"] = 2
    waking.note("filters", NOW)
    clock[0] += 599
    runtimes.tend()
    assert cluster.replicas["filters"] == 2

    clock[0] += 1
    runtimes.tend()
    assert cluster.replicas["filters"] == 0

    waking.note("filters", clock[0])
    runtimes.tend()
    assert cluster.replicas["filters"] == 1


def test_servers_whose_last_use_nobody_knows_are_idle_from_now_on(runtimes, cluster, clock):
    cluster.replicas["filters"] = 1
    clock[0] = time.time()
    runtimes.tend()
    assert cluster.replicas["filters"] == 1

    clock[0] += 600
    runtimes.tend()
    assert cluster.replicas["filters"] == 0


def test_idle_seconds_of_zero_keep_all_awake(runtimes, cluster, settings):
    settings.RUNTIME_IDLE_SECONDS = 0

    runtimes.tend()

    assert cluster.replicas == {"filters": 1, "gan": 1}


def test_two_controllers_do_no_harm(cluster, clock, settings):
    settings.RUNTIME_IDLE_SECONDS = 600
    waking.note("filters", NOW)
    for _ in range(2):
        Runtimes(lambda: ["filters", "gan"], cluster, lambda: clock[0]).tend()

    assert cluster.replicas == {"filters": 1, "gan": 0}


def test_deployment_that_is_missing_is_told(runtimes, cluster):
    del cluster.replicas["gan"]

    runtimes.tend()

    assert waking.trouble("gan") == (
        "the Deployment runtime-gan is not in the namespace pixelyard-jobs; apply k8s/."
    )
    assert waking.trouble("filters") == ""


def test_deployment_that_goes_away_in_between_is_told_by_the_next_look(runtimes, cluster, monkeypatch):
    waking.note("gan", NOW)
    deployments = cluster._deployments()
    monkeypatch.setattr(cluster, "_deployments", lambda: deployments)
    del cluster.replicas["gan"]

    runtimes.tend()
    monkeypatch.undo()
    runtimes.tend()

    assert "runtime-gan is not in the namespace" in waking.trouble("gan")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (pulls(), "node-1 can't get the image: pixelyard/filters:9: it does not exist."),
        (pulls("ImagePullBackOff"), "node-1 can't get the image: pixelyard/filters:9: it does not exist."),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "message": "0/3 nodes are available: 3 Insufficient memory.",
                    }
                ]
            },
            "no node can take it: not enough free memory on 3 nodes.",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "restartCount": 2,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1}},
                    }
                ]
            },
            "its container on node-1 ends again and again (status 1); see its log.",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    }
                ]
            },
            "its container on node-1 needs more memory than it may take.",
        ),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"running": {}}}]}, ""),
    ],
)
def test_what_keeps_pods_from_starting_is_told(runtimes, cluster, status, words):
    waking.note("filters", NOW)
    cluster.pods = [pod("filters", **status), pod("gan", **pulls())]

    runtimes.tend()

    assert waking.trouble("filters") == words
    assert waking.trouble("gan") == "", "it is not wanted"


def test_volume_that_can_not_be_mounted_is_told_after_a_while(runtimes, cluster, clock):
    waking.note("filters", NOW)
    cluster.pods = [
        pod("filters", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}])
    ]
    cluster.events = [
        {
            "involvedObject": {"kind": "Pod", "uid": "uid-filters"},
            "reason": "FailedMount",
            "message": "MountVolume.SetUp failed: no such directory",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        }
    ]

    cluster.pods[0]["metadata"]["creationTimestamp"] = "2027-01-15T08:00:00Z"  # NOW
    clock[0] = NOW + 10
    runtimes.tend()
    assert waking.trouble("filters") == "", "its node tries again"

    clock[0] = NOW + 21
    runtimes.tend()

    assert waking.trouble("filters").startswith("node-1 can't mount the volume:")


def test_quota_that_is_used_up_is_told(runtimes, cluster):
    waking.note("filters", NOW)
    message = (
        'Error creating: pods "runtime-filters-1-a" is forbidden: exceeded quota: jobs, requested: '
        "limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4"
    )
    cluster.events = [
        {
            "involvedObject": {"kind": "ReplicaSet", "name": "runtime-filters-1"},
            "reason": "FailedCreate",
            "message": message,
        }
    ]

    runtimes.tend()

    assert waking.trouble("filters") == "the quota jobs is used up (limits.cpu: 4 of 4 in use)."


def test_trouble_that_is_over_is_taken_back_at_once(runtimes, cluster):
    waking.note("filters", NOW)
    cluster.pods = [pod("filters", **pulls())]
    runtimes.tend()
    assert waking.trouble("filters")

    cluster.ready = {"filters"}
    runtimes.tend()

    assert waking.trouble("filters") == ""


def test_one_pod_that_is_on_its_way_is_enough(runtimes, cluster):
    waking.note("filters", NOW)
    cluster.pods = [pod("filters", **pulls()), pod("filters", node="node-2")]

    runtimes.tend()

    assert waking.trouble("filters") == ""


def test_api_server_that_is_away_is_told_and_not_asked_all_the_time(runtimes, cluster, clock):
    cluster.away = True
    for _ in range(3):
        runtimes.tend()
    assert cluster.asked == ["deployments"]
    assert waking.trouble("filters") == "the cluster's API server does not answer or refuses."

    cluster.away = False
    clock[0] += 10
    waking.note("filters", clock[0])
    runtimes.tend()
    assert cluster.replicas["filters"] == 1


def test_heartbeats_of_pods_long_gone_are_swept(runtimes, settings):
    for name, age in (("pod-1", 3601), ("pod-2", 60)):
        beat = EndpointHeartbeat("node-1", "http://10.0.0.1:8080", 1, 1, 0.0, NOW - age, name, "filters")
        jobfolder.write_endpoint(settings.DATA_DIR, beat)

    runtimes.sweep()

    assert [beat.name for beat in jobfolder.read_endpoints(settings.DATA_DIR)] == ["pod-2"]
