"""What is sent to the API server, letter by letter; and that pods ask for nothing they don't need."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from apps.cluster.kube import builders
from apps.cluster.kube.quantities import parse
from apps.cluster.kube.specs import AnchorSpec, BatchSpec, Owner, Resources
from tests.restricted import pod_specs, violations

JOB, OWNER = "0ce1zx4yq7m2kfv8c3n9tb", "0ce1zx4yq0000000000abc"
SPEC = BatchSpec(
    namespace="pixelyard-jobs",
    worker=f"{JOB}-1-2",
    job=JOB,
    owner=OWNER,
    app="yolov5",
    image="pixelyard/yolov5:0.1.0",
    claim="pixelyard-data",
    resources=Resources("500m", "1Gi"),
    weights="ab" * 32,
    hostname="node-2",
    priority_class="batch",
    deadline_seconds=3600,
    ttl_seconds=30,
    anchor=Owner(f"job-{JOB}", "uid-1"),
)
LABELS = {
    "app.kubernetes.io/name": "pixelyard-batch",
    "app.kubernetes.io/managed-by": "pixelyard",
    "app.kubernetes.io/component": "batch",
    "pixelyard/job": JOB,
    "pixelyard/owner": OWNER,
    "pixelyard/app": "yolov5",
    "pixelyard/worker": f"{JOB}-1-2",
}
POD = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": 10,
    "priorityClassName": "batch",
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"]}
                        ]
                    }
                ]
            }
        }
    },
    "containers": [
        {
            "name": "worker",
            "image": "pixelyard/yolov5:0.1.0",
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-m", "model_images.runtime", "batch"],
            "args": [
                "--job",
                f"/data/jobs/{JOB}",
                "--worker",
                f"{JOB}-1-2",
                "--node",
                "$(NODE_NAME)",
                "--supervise",
            ],
            "env": [
                {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "WORKER_MEMORY", "value": "986500301"},
                {"name": "HOME", "value": "/tmp"},
            ],
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "500m", "memory": "1Gi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
            "volumeMounts": [
                {
                    "name": "data",
                    "mountPath": f"/data/drive/{OWNER}",
                    "subPath": f"drive/{OWNER}",
                    "readOnly": True,
                },
                {
                    "name": "data",
                    "mountPath": f"/data/weights/{'ab' * 32}.onnx",
                    "subPath": f"weights/{'ab' * 32}.onnx",
                    "readOnly": True,
                },
                {
                    "name": "data",
                    "mountPath": f"/data/jobs/{JOB}",
                    "subPath": f"jobs/{JOB}",
                    "readOnly": False,
                },
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }
    ],
    "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "pixelyard-data"}},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}},
    ],
}


def test_batch_job():
    assert builders.batch_job(SPEC) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{JOB}-1-2",
            "namespace": "pixelyard-jobs",
            "labels": LABELS,
            "annotations": {},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": f"job-{JOB}", "uid": "uid-1"}
            ],
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "activeDeadlineSeconds": 3600,
            "ttlSecondsAfterFinished": 30,
            "template": {"metadata": {"labels": LABELS, "annotations": {}}, "spec": POD},
        },
    }


def test_anchor():
    marks = {key: value for key, value in LABELS.items() if key != "pixelyard/worker"}

    assert builders.anchor(AnchorSpec("pixelyard-jobs", JOB, OWNER, "yolov5")) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"job-{JOB}",
            "namespace": "pixelyard-jobs",
            "labels": marks,
            "annotations": {},
        },
    }


def test_what_is_not_needed_is_not_there():
    job = builders.batch_job(replace(SPEC, weights="", hostname="", priority_class="", anchor=None))
    pod = job["spec"]["template"]["spec"]

    assert "ownerReferences" not in job["metadata"]
    assert not {"affinity", "priorityClassName", "nodeName"} & pod.keys()
    paths = [mount.get("subPath") for mount in pod["containers"][0]["volumeMounts"]]
    assert paths == [f"drive/{OWNER}", f"jobs/{JOB}", None]


def test_worker_of_a_strange_name_keeps_it():
    worker = "A worker: ünique " + "x" * 60
    job = builders.batch_job(replace(SPEC, worker=worker))

    assert job["metadata"]["annotations"] == {"pixelyard/worker": worker}
    assert job["spec"]["template"]["metadata"]["annotations"] == {"pixelyard/worker": worker}
    assert worker in job["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, weights="", hostname="", anchor=None)])
def test_batch_pods_are_restricted(spec):
    [pod] = pod_specs(builders.batch_job(spec))

    assert violations(pod) == []
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda pod: pod.update(hostNetwork=True), "hostNetwork is set"),
        (lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volume host is a"),
        (lambda pod: pod["securityContext"].pop("seccompProfile"), "has the seccomp profile None"),
        (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "may run as root"),
        (lambda pod: pod["securityContext"].update(runAsUser=0), "pod runs as user 0"),
        (lambda pod: pod["containers"][0].pop("securityContext"), "may escalate its privileges"),
        (
            lambda pod: pod["containers"][0]["securityContext"].update(capabilities={"add": ["NET_RAW"]}),
            "adds NET_RAW",
        ),
        (
            lambda pod: pod["containers"][0].update(ports=[{"containerPort": 1, "hostPort": 80}]),
            "takes port 80",
        ),
        (lambda pod: pod.update(initContainers=[{"name": "early"}]), "container early keeps capabilities"),
    ],
)
def test_checker_finds_what_is_not_restricted(change, refused):
    [pod] = pod_specs(builders.batch_job(SPEC))
    change(pod)

    assert any(refused in text for text in violations(pod))


def test_worker_fails_a_photo_before_the_kernel_ends_the_container():
    assert builders.worker_memory("1Gi") < (1 << 30) - (64 << 20)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("500m", "0.5"), ("2", "2"), ("1.5", "1.5"), ("1Gi", 1 << 30), ("128974848", 128974848), ("1e3", 1000)],
)
def test_quantities(text, amount):
    assert parse(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "1 core", "-1", "1gi", "Gi", "1.2.3", "1e999"])
def test_no_quantities(text):
    with pytest.raises(ValueError, match="is no amount"):
        parse(text)
