"""Kubernetes objects as dicts, made from specs. Pure: the same spec gives the same dict."""

from __future__ import annotations

from typing import Any

from apps.cluster.kube import slugs
from apps.cluster.kube.quantities import parse
from apps.cluster.kube.security import closed_pod, container_security
from apps.cluster.kube.specs import DATA, AnchorSpec, BatchSpec, Owner, Resources

NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
JOB, OWNER, APP, WORKER = "pixelyard/job", "pixelyard/owner", "pixelyard/app", "pixelyard/worker"
HOSTNAME = "kubernetes.io/hostname"
CONTAINER = "worker"
MANAGER = "pixelyard"
BATCH = f"{MANAGED_BY}={MANAGER},{COMPONENT}=batch"  # selects all that the engine makes

GRACE_SECONDS = 10  # that a worker has to finish its photo; it gives back what is left by itself before
TMP_BYTES = 32 << 20  # a worker writes nothing there but what a library insists on
_SPARE = 0.05  # of a container's memory, beyond what its worker may take


def batch_job(spec: BatchSpec) -> dict[str, Any]:
    """A Job (batch/v1) that runs one worker once: another try is another placement, with another name."""
    labels, annotations = _marks("batch", spec.job, spec.owner, spec.app, spec.worker)
    metadata: dict[str, Any] = {
        "name": slugs.name(spec.worker),
        "namespace": spec.namespace,
        "labels": labels,
        "annotations": annotations,
    }
    if spec.anchor:
        metadata["ownerReferences"] = [owner_reference(spec.anchor)]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "activeDeadlineSeconds": spec.deadline_seconds,
            "ttlSecondsAfterFinished": spec.ttl_seconds,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _batch_pod(spec),
            },
        },
    }


def anchor(spec: AnchorSpec) -> dict[str, Any]:
    """An empty ConfigMap that all objects of a job belong to: deleting it deletes them, even those that are
    just being made, and whoever looks at the cluster sees one object a job."""
    labels, annotations = _marks("batch", spec.job, spec.owner, spec.app)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": anchor_name(spec.job),
            "namespace": spec.namespace,
            "labels": labels,
            "annotations": annotations,
        },
    }


def anchor_name(job: str) -> str:
    return slugs.name(job, "job")


def job_of(thing: dict[str, Any]) -> str:
    """The platform's job that an object belongs to; "" if none."""
    return slugs.text_of(thing, JOB)


def owner_reference(owner: Owner) -> dict[str, Any]:
    """Neither blocking nor controlling: it needs no right on the owner's finalizers."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name, "uid": owner.uid}


def worker_memory(memory: str) -> int:
    """Bytes that a worker may take in a container of `memory`: a photo that needs more fails by itself,
    before the kernel ends the container."""
    limit = int(parse(memory))
    return limit - TMP_BYTES - int(limit * _SPARE)


def resources(given: Resources) -> dict[str, Any]:
    """A container's `resources`: request and limit are the same."""
    amounts = {"cpu": given.cpu, "memory": given.memory}
    return {"requests": amounts, "limits": dict(amounts)}


def scratch(size: int = TMP_BYTES) -> dict[str, Any]:
    """The volume `tmp`, in memory: a read-only container's only place to write."""
    return {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": f"{size >> 20}Mi"}}


def part(path: str, *, read_only: bool) -> dict[str, Any]:
    """Mount of a part of the volume `data`, at the same path below DATA: `drive/<owner>`."""
    return {"name": "data", "mountPath": f"{DATA}/{path}", "subPath": path, "readOnly": read_only}


def _marks(
    component: str, job: str, owner: str, app: str, worker: str = ""
) -> tuple[dict[str, str], dict[str, str]]:
    texts = {JOB: job, OWNER: owner, APP: app} | ({WORKER: worker} if worker else {})
    labels, annotations = slugs.marks(texts)
    fixed = {NAME: f"{MANAGER}-{component}", MANAGED_BY: MANAGER, COMPONENT: component}
    return fixed | labels, annotations


def _batch_pod(spec: BatchSpec) -> dict[str, Any]:
    pod = closed_pod() | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [_worker(spec)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": spec.claim}},
            scratch(),
        ],
    }
    if spec.priority_class:
        pod["priorityClassName"] = spec.priority_class
    if spec.hostname:
        pod["affinity"] = _on(spec.hostname)
    return pod


def _worker(spec: BatchSpec) -> dict[str, Any]:
    mounts = [part(f"drive/{spec.owner}", read_only=True)]
    if spec.weights:
        mounts.append(part(f"weights/{spec.weights}.onnx", read_only=True))
    mounts += [part(f"jobs/{spec.job}", read_only=False), {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    command = ["python", "-m", "model_images.runtime", "batch"]
    return {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": spec.pull_policy,
        "command": command,
        "args": [
            "--job",
            f"{DATA}/jobs/{spec.job}",
            "--worker",
            spec.worker,
            "--node",
            "$(NODE_NAME)",
            "--supervise",
        ],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "WORKER_MEMORY", "value": str(worker_memory(spec.resources.memory))},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108
        ],
        "resources": resources(spec.resources),
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }


def _on(hostname: str) -> dict[str, Any]:
    """Must run on this node, as the scheduler's decision and not past it (`nodeName`): taints, cordons and
    room still count, and a pod that can't be there says why."""
    term = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [hostname]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
