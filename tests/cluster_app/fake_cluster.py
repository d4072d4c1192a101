"""A Kubernetes API in memory, for tests: it keeps objects, refuses as the server does, and moves pods on when
the test says so.

    cluster = FakeCluster()
    cluster.add_node("node-1", cpu="2", memory="4Gi")
    cluster.schedule(job); cluster.run(job); cluster.end(job, exit_code=137, why="OOMKilled")
    cluster.broken = Unreachable("…")
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from apps.cluster.engines.base import EngineError
from apps.cluster.kube.api import AlreadyThere, Listing, NotThere, Thing
from apps.cluster.kube.builders import HOSTNAME

KINDS = ("nodes", "jobs", "pods", "configmaps", "events")


class FakeCluster:
    """An `Api`. A Job makes its pod at once, unless the namespace has a quota; owners take what they own with
    them."""

    def __init__(self, namespace: str = "pixelyard-jobs") -> None:
        self.namespace = namespace
        self.broken: EngineError | None = None  # what every call raises
        self.refused: dict[tuple[str, str], EngineError] = {}  # (verb, kind): what that one raises
        self.rights: set[tuple[str, str]] | None = None  # None: all of them
        self.quota = ""  # the message with which pods are refused
        self.calls: list[tuple[str, str]] = []
        self.watch_ends: list[EngineError | None] = []  # how the next watches end: None by itself
        self._kinds: dict[str, dict[str, Thing]] = {kind: {} for kind in KINDS}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._version = 0

    # What the test says

    def add_node(self, name: str, cpu: str = "2", memory: str = "8Gi", **spec: Any) -> None:
        ready = {"type": "Ready", "status": "True"}
        self._keep(
            "nodes",
            {
                "metadata": {"name": name, "labels": {HOSTNAME: name}, "annotations": {}},
                "spec": spec,
                "status": {
                    "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
                    "conditions": [ready],
                },
            },
        )

    def node(self, name: str) -> Thing:
        return self._kinds["nodes"][name]

    def lose_node(self, name: str) -> None:
        self.node(name)["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
        self._tell()

    def pod_of(self, job: str) -> Thing:
        """The newest pod of a Job, by the Job's name."""
        mine = [pod for pod in self._kinds["pods"].values() if pod["metadata"]["labels"]["job-name"] == job]
        return max(mine, key=lambda pod: int(pod["metadata"]["uid"].removeprefix("uid-")))

    def job(self, name: str) -> Thing:
        return self._kinds["jobs"][name]

    def names(self, kind: str) -> list[str]:
        return sorted(self._kinds[kind])

    def unschedulable(self, job: str, message: str) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        self.pod_of(job)["status"]["conditions"] = [condition]
        self._tell()

    def schedule(self, job: str, node: str = "") -> None:
        """The pod gets its node, and its container is being made."""
        pod = self.pod_of(job)
        pod["spec"]["nodeName"] = node or _wanted(pod) or self.names("nodes")[0]
        pod["status"] = {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}}],
        }
        self._tell()

    def hold(self, job: str, reason: str, message: str = "") -> None:
        """The container can't be started."""
        self.schedule(job)
        waits = {"reason": reason, "message": message}
        self.pod_of(job)["status"]["containerStatuses"][0]["state"] = {"waiting": waits}
        self._tell()

    def run(self, job: str, node: str = "") -> None:
        self.schedule(job, node)
        status = self.pod_of(job)["status"]
        status["phase"] = "Running"
        status["containerStatuses"][0]["state"] = {"running": {"startedAt": self._time()}}
        self._tell()

    def end(self, job: str, exit_code: int = 0, why: str = "", **status: Any) -> None:
        """The container ends; `status` are fields of the pod's, as `reason="Evicted"` of an eviction."""
        pod = self.pod_of(job)
        if "containerStatuses" not in pod["status"]:
            self.schedule(job)
        done = {"exitCode": exit_code, "reason": why or ("Error" if exit_code else "Completed")}
        done["finishedAt"] = self._time()
        pod["status"]["containerStatuses"][0]["state"] = {"terminated": done}
        pod["status"] |= {"phase": "Failed" if exit_code else "Succeeded"} | status
        kind = "Failed" if exit_code else "Complete"
        why = "BackoffLimitExceeded" if exit_code else ""
        self.job(job).setdefault("status", {})["conditions"] = [
            {"type": kind, "status": "True", "reason": why}
        ]
        self._tell()

    def warn(self, thing: Thing, reason: str, message: str) -> None:
        self._keep(
            "events",
            {
                "metadata": {"name": f"event-{next(self._numbers)}"},
                "type": "Warning",
                "reason": reason,
                "message": message,
                "involvedObject": {"uid": thing["metadata"]["uid"]},
                "lastTimestamp": self._time(),
            },
        )

    def delete_pod(self, job: str, replace: bool = False) -> None:
        """By hand. `replace`: the Job makes another, as older clusters do."""
        del self._kinds["pods"][self.pod_of(job)["metadata"]["name"]]
        if replace:
            self._make_pod(self.job(job))
        self._tell()

    # What the engine asks

    def list(self, kind: str, labels: str = "", fields: str = "") -> Listing:
        self._called("list", kind)
        wanted = dict(part.split("=") for part in labels.split(",")) if labels else {}
        items = [
            copy.deepcopy(thing)
            for thing in list(self._kinds[kind].values())
            if wanted.items() <= (thing["metadata"].get("labels") or {}).items()
        ]
        return Listing(items, str(self._version))

    def get(self, kind: str, name: str) -> Thing:
        self._called("get", kind)
        return copy.deepcopy(self._find(kind, name))

    def create(self, kind: str, body: Thing) -> Thing:
        self._called("create", kind)
        name = body["metadata"]["name"]
        if name in self._kinds[kind]:
            raise AlreadyThere(f'{kind} "{name}" already exists')
        thing = self._keep(kind, copy.deepcopy(body))
        if kind == "jobs":
            if self.quota:
                self.warn(thing, "FailedCreate", self.quota)
            else:
                self._make_pod(thing)
        return copy.deepcopy(thing)

    def delete(self, kind: str, name: str, *, uid: str = "", grace: int | None = None) -> None:
        self._called("delete", kind)
        thing = self._find(kind, name)
        if uid and thing["metadata"]["uid"] != uid:
            raise AlreadyThere("the UID in the precondition does not match")
        self._remove(kind, thing)
        self._tell()

    def watch(self, kind: str, version: str, seconds: int, labels: str = "") -> Iterator[Thing]:
        self._called("watch", kind)
        end = self.watch_ends.pop(0) if self.watch_ends else None
        if end is not None:
            raise end
        with self._changed:
            if self._changed.wait_for(lambda: str(self._version) != version, timeout=seconds):
                yield {"type": "MODIFIED", "object": {}}

    def may(self, verb: str, kind: str) -> bool:
        self._called("may", kind)
        return self.rights is None or (verb, kind) in self.rights

    def version(self) -> str:
        self._called("get", "version")
        return "1.20.2"

    def _called(self, verb: str, kind: str) -> None:
        self.calls.append((verb, kind))
        error = self.broken or self.refused.get((verb, kind))
        if error:
            raise error

    def _find(self, kind: str, name: str) -> Thing:
        try:
            return self._kinds[kind][name]
        except KeyError:
            raise NotThere(f'{kind} "{name}" not found') from None

    def _keep(self, kind: str, thing: Thing) -> Thing:
        metadata = thing["metadata"]
        metadata |= {"uid": f"uid-{next(self._numbers)}", "creationTimestamp": self._time()}
        self._kinds[kind][metadata["name"]] = thing
        self._tell()
        return thing

    def _make_pod(self, job: Thing) -> None:
        template = copy.deepcopy(job["spec"]["template"])
        name = f"{job['metadata']['name']}-{next(self._numbers)}"
        owner = {"uid": job["metadata"]["uid"]}
        template["metadata"] |= {"name": name, "ownerReferences": [owner]}
        template["metadata"]["labels"] |= {"job-name": job["metadata"]["name"]}
        self._keep("pods", template | {"status": {"phase": "Pending"}})

    def _remove(self, kind: str, thing: Thing) -> None:
        del self._kinds[kind][thing["metadata"]["name"]]
        for other in KINDS:
            for owned in list(self._kinds[other].values()):
                owners = owned["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == thing["metadata"]["uid"] for owner in owners):
                    self._remove(other, owned)

    def _time(self) -> str:
        return datetime.now(UTC).isoformat().replace("+00:00", "Z")

    def _tell(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()


def _wanted(pod: Thing) -> str:
    """The node that a pod must be on."""
    affinity = pod["spec"].get("affinity")
    if not affinity:
        return ""
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchExpressions"][0]["values"][0])
