"""What a Node object says about a node's place in our cluster."""

from __future__ import annotations

from dataclasses import dataclass

from apps.cluster.kube.api import Thing
from apps.cluster.kube.builders import HOSTNAME
from apps.cluster.kube.quantities import parse
from apps.cluster.kube.seen import when
from apps.cluster.kube.specs import Resources

SPEED = "pixelyard/speed"  # an annotation by which staff may say how fast a node is beside others
_BLOCKING = {"NoSchedule", "NoExecute"}
_SPOKEN_OF = {
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
}


@dataclass(frozen=True)
class NodeFacts:
    name: str
    hostname: str  # by which a pod is sent there
    ready: bool
    closed: str  # why the cluster gives it no new work, in words; "" if it does
    slots: int  # workers that fit; 0 if not even one does
    cores: str
    speed: float
    started: float


def facts(node: Thing, worker: Resources) -> NodeFacts:
    metadata, status = node["metadata"], node.get("status") or {}
    allocatable = status.get("allocatable") or {}
    name = metadata["name"]
    slots = _slots(allocatable, worker)
    return NodeFacts(
        name=name,
        hostname=(metadata.get("labels") or {}).get(HOSTNAME, name),
        ready=_is_ready(status),
        closed=_closed(node.get("spec") or {}) or ("" if slots else "too small for one worker"),
        slots=slots,
        cores=f"{float(parse(str(allocatable.get('cpu', '0')))):g}",
        speed=_speed(metadata),
        started=when(metadata.get("creationTimestamp")),
    )


def _is_ready(status: Thing) -> bool:
    conditions = status.get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _closed(spec: Thing) -> str:
    if spec.get("unschedulable"):
        return "cordoned in Kubernetes"
    for taint in spec.get("taints") or []:
        if taint.get("effect") in _BLOCKING and taint.get("key") not in _SPOKEN_OF:
            return f"tainted in Kubernetes: {taint.get('key')}"[:120]
    return ""


def _slots(allocatable: Thing, worker: Resources) -> int:
    """How many workers fit on an empty node: what else runs there is found out by trying (`fullness`)."""
    cpu = parse(str(allocatable.get("cpu", "0"))) // parse(worker.cpu)
    memory = parse(str(allocatable.get("memory", "0"))) // parse(worker.memory)
    pods = parse(str(allocatable.get("pods", "110")))
    return int(max(0, min(cpu, memory, pods)))


def _speed(metadata: Thing) -> float:
    try:
        return max(0.0, float((metadata.get("annotations") or {}).get(SPEED, "1")))
    except ValueError:
        return 1.0
