"""The preview servers of a family as Kubernetes objects: Deployment, Service, autoscaler, disruption budget.

Pure, as all builders. The manifests below k8s/base/runtime are what these give (`manifests.py` writes them),
so that who runs the platform reads, patches and applies YAML; the controller only scales what they made.
"""

from __future__ import annotations

from typing import Any

from apps.cluster.kube import slugs
from apps.cluster.kube.builders import NAME, part, scratch
from apps.cluster.kube.security import closed_pod, container_security
from apps.cluster.kube.specs import DATA, RuntimeSpec

FAMILY = "pixelyard/family"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
RUNTIME = "pixelyard-runtime"
TOKEN = "RUNTIME_TOKEN"  # noqa: S105 - its name
ALL = f"{NAME}={RUNTIME}"  # selects the Deployments and pods of all families
PORT = 8080
LINGER_SECONDS = 3  # readers of heartbeats, and of the Service's addresses, are this much behind
_TMP_BYTES = 16 << 20  # a socket of the fork server


def name(family: str) -> str:
    """Of the family's Deployment, Service, autoscaler and disruption budget."""
    return slugs.name(family, "runtime")


def family_of(thing: dict[str, Any]) -> str:
    """Whose Deployment or pod it is."""
    return slugs.text_of(thing, FAMILY)


def deployment(spec: RuntimeSpec) -> dict[str, Any]:
    """Asleep: how many there are is the controller's and the autoscaler's word. The controller makes the
    folders that pods mount before it wakes the first; a pod that came before them would find folders that its
    node had made, as root."""
    return _object("apps/v1", "Deployment", spec) | {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": _match(spec.family)},
            "revisionHistoryLimit": 3,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {"metadata": {"labels": _labels(spec.family)}, "spec": _pod(spec)},
        },
    }


def service(spec: RuntimeSpec) -> dict[str, Any]:
    ports = [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}]
    return _object("v1", "Service", spec) | {
        "spec": {"type": "ClusterIP", "selector": _match(spec.family), "ports": ports}
    }


def autoscaler(spec: RuntimeSpec) -> dict[str, Any]:
    """From one pod up, by CPU. It leaves a Deployment at 0 alone: waking and putting to sleep are the
    controller's."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name(spec.family)}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": spec.target_cpu_percent}}
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", spec) | {
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 1,
            "maxReplicas": spec.most,
            "metrics": [{"type": "Resource", "resource": cpu}],
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": 0},
                "scaleDown": {"stabilizationWindowSeconds": 300},
            },
        },
    }


def disruption_budget(spec: RuntimeSpec) -> dict[str, Any]:
    """Draining nodes takes the servers away one by one. It never blocks: a single one may go, too, and is
    asleep to the pages for as long as its successor takes to start."""
    return _object("policy/v1", "PodDisruptionBudget", spec) | {
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _match(spec.family)}}
    }


def _object(api: str, kind: str, spec: RuntimeSpec) -> dict[str, Any]:
    metadata = {"name": name(spec.family), "namespace": spec.namespace, "labels": _labels(spec.family)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def _match(family: str) -> dict[str, str]:
    return {NAME: RUNTIME, FAMILY: slugs.label(family)}


def _labels(family: str) -> dict[str, str]:
    return _match(family) | {COMPONENT: "runtime", PART_OF: "pixelyard"}


def _pod(spec: RuntimeSpec) -> dict[str, Any]:
    pod = closed_pod() | {
        "terminationGracePeriodSeconds": LINGER_SECONDS + spec.preview_seconds + 5,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _match(spec.family)},
            }
        ],
        "containers": [_server(spec)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": spec.claim}},
            scratch(_TMP_BYTES),
        ],
    }
    if spec.priority_class:
        pod["priorityClassName"] = spec.priority_class
    return pod


def _server(spec: RuntimeSpec) -> dict[str, Any]:
    settings = {"name": RUNTIME, "optional": True}
    return {
        "name": "runtime",
        "image": spec.image,
        "imagePullPolicy": spec.pull_policy,
        "command": ["python", "-m", "model_images.runtime", "serve"],
        "args": [
            "--family", spec.family, "--name", "$(POD_NAME)", "--node", "$(NODE_NAME)", "--data", DATA,
            "--host", "0.0.0.0", "--port", str(PORT), "--url", f"http://$(POD_IP):{PORT}",  # noqa: S104
            "--slots", str(spec.slots), "--linger", str(LINGER_SECONDS),
        ],
        "envFrom": [{"configMapRef": settings}],  # limits of the installation: MAX_IMAGE_BYTES, …
        "env": [
            _field("POD_NAME", "metadata.name"),
            _field("NODE_NAME", "spec.nodeName"),
            _field("POD_IP", "status.podIP"),
            {"name": TOKEN, "valueFrom": {"secretKeyRef": {"name": RUNTIME, "key": TOKEN}}},
            {"name": "WEIGHTS_MEMORY", "value": str(spec.weights_memory)},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/readyz", period=1, failures=60),
        "readinessProbe": _probe("/readyz", period=2, failures=2),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "resources": {
            "requests": {"cpu": spec.cpu_request, "memory": spec.resources.memory},
            "limits": {"cpu": spec.resources.cpu, "memory": spec.resources.memory},
        },
        "securityContext": container_security(),
        "volumeMounts": [*_mounts(spec), {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }  # fmt: skip


def _mounts(spec: RuntimeSpec) -> list[dict[str, Any]]:
    """What the server writes is its heartbeat. Photos come with the question; only options that name a folder
    need the drive, and a cache of what was made of it."""
    mounts = [part("endpoints", read_only=False)]
    if spec.needs_weights:
        mounts.append(part("weights", read_only=True))
    if spec.reads_drive:
        mounts += [part("drive", read_only=True), part("cache", read_only=False)]
    return mounts


def _field(variable: str, path: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
