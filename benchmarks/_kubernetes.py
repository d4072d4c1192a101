"""Nodes of a Kubernetes cluster for `load_balancing`: pods that the platform's engine makes, limited in CPU.

KUBECONFIG names the cluster, with rights to make a namespace and a volume. Its ready nodes are used, and they
must see this machine's temporary files under the same path (hostPath). KUBE_IMAGE is the
image of the apps. A pod on a node of speed 1 gets --cpu of a core as its limit: that makes nodes unequal.
Faults are not supported: whoever can kill a machine of the cluster is not this program.

Under the policy `scheduler` pods are bound to no node, so no limit can follow from it. Then each pod has the
limit of a node of speed 1, and there are as many as all nodes together have of it: on nodes that are capped
as a whole to the same cores, a node of speed 4 has room for four.

A limit binds only while the machine has that much to give: the kernel counts a pod's processor time in
periods of 100 ms, and pods compete with whatever else is at work. A run in which a node was not as fast as it
was measured to be is told and done again, once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _real
from loadbalancer import registry
from loadbalancer.records import Outcome
from loadbalancer.workload import NodeSpec, Trace, node_mix

if TYPE_CHECKING:
    from apps.benchmarks.replay.queues import Queue, Work

CLAIM = "pixelyard-data"
ANYWHERE = ""  # in the place of a node's name: wherever there is room
START = 90.0  # seconds that pods may take to start
SLOWEST, FASTEST = 0.75, 1.4  # times the measured speed; work of few photos is known that well only
TRIES = 2  # of a run in which a node strays


class NoCluster(Exception):
    """There is no cluster that could be used; the message says what is needed."""


class Pods(_real.Real):
    def run(
        self, trace: Trace, nodes: Sequence[NodeSpec], policy: str, *, seed: int, chunk_seconds: float
    ) -> Outcome:
        if registry.get(policy).engine == "kubernetes":
            least = min(node.speed for node in nodes)
            nodes = [
                replace(node, speed=least, slots=node.slots * round(self.wanted[node.name])) for node in nodes
            ]
        outcome = super().run(trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds)
        tries = 1
        while (off := strayed(outcome.nodes, nodes)) and tries < TRIES:
            print(f"  seed {seed}, {policy}: {off}; done again", flush=True)
            outcome = super().run(trace, nodes, policy, seed=seed, chunk_seconds=chunk_seconds)
            tries += 1
        if off:
            print(f"  seed {seed}, {policy}: {off}, in {tries} tries", flush=True)
        return outcome


def strayed(found: Sequence[NodeSpec], measured: Sequence[NodeSpec]) -> str:
    """Which node was not as fast in a run as it was measured to be, in words; "" if all were. Somebody else
    was at work then: limits bind only while the machine has as much to give."""
    before = {node.name: node.speed for node in measured}
    for node in found:
        drift = node.speed / before[node.name]
        if not SLOWEST <= drift <= FASTEST:
            return f"{node.name} was {drift:.2f} times as fast as measured"
    return ""


@contextmanager
def kubernetes_cluster(mix: str, options: argparse.Namespace) -> Iterator[Pods]:
    """Raises NoCluster."""
    if "dies" in options.faults:
        raise NoCluster("Nodes of a cluster are not killed by this benchmark. Use --faults none.")
    namespace = f"pixelyard-benchmark-{os.getpid()}"
    os.environ.update(ENGINE="kubernetes", KUBE_NAMESPACE=namespace, KUBE_VOLUME_CLAIM=CLAIM)
    os.environ.setdefault("KUBE_WORKER_MEMORY", "1Gi")
    os.umask(0)  # pods run as another user, and write into folders made here
    _real.django()
    from django.conf import settings

    from apps.benchmarks.replay.dispatch import Setup
    from apps.benchmarks.replay.photos import Bank

    data_dir = Path(settings.DATA_DIR)
    for folder in (data_dir, data_dir / "jobs", data_dir / "drive", data_dir / "weights"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    with ExitStack() as stack:
        stack.enter_context(_namespace(namespace, data_dir))
        names = _ready_nodes()
        wanted = node_mix(mix, slots=options.slots)
        if len(names) < len(wanted):
            raise NoCluster(f"{mix} needs {len(wanted)} nodes, and {len(names)} are ready. Add nodes.")
        specs = tuple(replace(spec, name=name) for spec, name in zip(wanted, names, strict=False))
        unit = options.cpu or min(_real.UNIT, _real.CORES / sum(spec.capacity for spec in specs))
        engine = _sized_engine({spec.name: spec.speed * unit for spec in specs} | {ANYWHERE: unit})
        bank = Bank(data_dir)
        stack.callback(bank.remove)
        setup = Setup(
            engine,
            data_dir,
            settings.NODE_TIMEOUT,
            alive=lambda: names,
            announce=_announce,
            start_seconds=START,
        )
        yield Pods(None, specs, setup, bank, _real.work_of(data_dir, options), options)


def _sized_engine(cpus: dict[str, float]) -> Any:
    """The platform's engine; its pods get their node's part of a core."""
    from django.conf import settings

    from apps.cluster.engines.base import PlacementSpec
    from apps.cluster.engines.kubernetes import KubernetesEngine

    class Sized(KubernetesEngine):
        def place(self, spec: PlacementSpec) -> None:
            settings.KUBE_WORKER_CPU = f"{round(1000 * cpus[spec.node])}m"
            super().place(spec)

    engine = Sized()
    engine.sync_nodes()
    return engine


def _announce(queue: Queue, work: Work) -> None:
    """The row that the engine reads: in this benchmark's own database, where no controller sees it."""
    from apps.accounts.models import User
    from apps.benchmarks.replay.photos import OWNER
    from apps.processing.models import Job

    if not User.objects.filter(id=OWNER).exists():
        User.objects.create(id=OWNER, email="benchmarks@example.org")
    Job.objects.create(
        id=queue.job,
        owner_id=OWNER,
        app=work.app,
        app_title=work.app,
        app_version=work.version,
        weights=work.weights or "",
        folder_name="benchmark",
        policy="pull",
        status=Job.Status.RUNNING,
        total=0,
    )


def _kubectl(*arguments: str, stdin: str = "") -> str:
    try:
        done = subprocess.run(
            ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=True
        )
    except FileNotFoundError:
        raise NoCluster("kubectl was not found: install it, and set KUBECONFIG.") from None
    except subprocess.CalledProcessError as error:
        raise NoCluster(f"The cluster refused: {error.stderr.strip()[:300]}") from None
    return done.stdout


def _ready_nodes() -> list[str]:
    nodes = json.loads(_kubectl("get", "nodes", "-o", "json"))["items"]
    return sorted(
        node["metadata"]["name"]
        for node in nodes
        if not node["spec"].get("unschedulable")
        and any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])
    )


@contextmanager
def _namespace(name: str, data_dir: Path) -> Iterator[None]:
    """With the data folder as a volume; both are gone afterwards."""
    shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **shared,
            "capacity": {"storage": "10Gi"},
            "hostPath": {"path": str(data_dir), "type": "Directory"},
            "claimRef": {"namespace": name, "name": CLAIM},
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": name},
        "spec": {**shared, "volumeName": name, "resources": {"requests": {"storage": "10Gi"}}},
    }
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, volume, claim]
    _kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    try:
        yield
    finally:
        _kubectl("delete", "namespace", name, "--grace-period=0", "--wait=true")
        _kubectl("delete", "persistentvolume", name, "--wait=false")
