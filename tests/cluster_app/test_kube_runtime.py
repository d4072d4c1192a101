"""The preview servers' objects, letter by letter; and that the manifests are what the builders give."""

from __future__ import annotations

import json

import pytest
import yaml

from apps.cluster.kube import builders_runtime, manifests
from apps.cluster.kube.specs import Resources, RuntimeSpec
from tests.restricted import pod_specs, violations

SPEC = RuntimeSpec(
    namespace="pixelyard-jobs",
    family="yolov5",
    image="pixelyard/yolov5:0.1.0",
    claim="pixelyard-data",
    resources=Resources("2", "3Gi"),
    cpu_request="500m",
    needs_weights=True,
    slots=2,
    weights_memory=700_000_000,
    preview_seconds=15,
    most=6,
    target_cpu_percent=75,
    priority_class="previews",
)
MATCH = {"app.kubernetes.io/name": "pixelyard-runtime", "pixelyard/family": "yolov5"}
LABELS = MATCH | {"app.kubernetes.io/component": "runtime", "app.kubernetes.io/part-of": "pixelyard"}
METADATA = {"name": "runtime-yolov5", "namespace": "pixelyard-jobs", "labels": LABELS}


def field(name: str, path: str) -> dict:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def probe(path: str, period: int, failures: int) -> dict:
    get = {"path": path, "port": "http"}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}


CONTAINER = {
    "name": "runtime",
    "image": "pixelyard/yolov5:0.1.0",
    "imagePullPolicy": "IfNotPresent",
    "command": ["python", "-m", "model_images.runtime", "serve"],
    "args": [
        "--family", "yolov5", "--name", "$(POD_NAME)", "--node", "$(NODE_NAME)", "--data", "/data",
        "--host", "0.0.0.0", "--port", "8080", "--url", "http://$(POD_IP):8080",  # noqa: S104
        "--slots", "2", "--linger", "3",
    ],
    "envFrom": [{"configMapRef": {"name": "pixelyard-runtime", "optional": True}}],
    "env": [
        field("POD_NAME", "metadata.name"),
        field("NODE_NAME", "spec.nodeName"),
        field("POD_IP", "status.podIP"),
        {
            "name": "RUNTIME_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "pixelyard-runtime", "key": "RUNTIME_TOKEN"}},
        },
        {"name": "WEIGHTS_MEMORY", "value": "700000000"},
        {"name": "HOME", "value": "/tmp"},
    ],
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "startupProbe": probe("/readyz", 1, 60),
    "readinessProbe": probe("/readyz", 2, 2),
    "livenessProbe": probe("/healthz", 10, 3),
    "resources": {
        "requests": {"cpu": "500m", "memory": "3Gi"},
        "limits": {"cpu": "2", "memory": "3Gi"},
    },
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    },
    "volumeMounts": [
        {"name": "data", "mountPath": "/data/endpoints", "subPath": "endpoints", "readOnly": False},
        {"name": "data", "mountPath": "/data/weights", "subPath": "weights", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ],
}  # fmt: skip


def test_deployment():
    assert builders_runtime.deployment(SPEC) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": METADATA,
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": MATCH},
            "revisionHistoryLimit": 3,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "runAsGroup": 10001,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "terminationGracePeriodSeconds": 23,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": MATCH},
                        }
                    ],
                    "containers": [CONTAINER],
                    "volumes": [
                        {"name": "data", "persistentVolumeClaim": {"claimName": "pixelyard-data"}},
                        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
                    ],
                    "priorityClassName": "previews",
                },
            },
        },
    }


def test_service():
    assert builders_runtime.service(SPEC) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": METADATA,
        "spec": {
            "type": "ClusterIP",
            "selector": MATCH,
            "ports": [{"name": "http", "port": 8080, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def test_autoscaler():
    made = builders_runtime.autoscaler(SPEC)

    assert (made["apiVersion"], made["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert made["metadata"] == METADATA
    spec = made["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "runtime-yolov5"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 6)
    target = {"type": "Utilization", "averageUtilization": 75}
    assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def test_disruption_budget():
    assert builders_runtime.disruption_budget(SPEC) == {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": METADATA,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": MATCH}},
    }


def test_objects_tell_their_family():
    assert builders_runtime.family_of(builders_runtime.deployment(SPEC)) == "yolov5"
    assert builders_runtime.ALL == "app.kubernetes.io/name=pixelyard-runtime"


@pytest.mark.parametrize("spec", manifests.specs(), ids=lambda spec: spec.family)
def test_pods_ask_for_nothing_they_do_not_need(spec):
    deployment = builders_runtime.deployment(spec)
    (pod,) = pod_specs(deployment)
    assert violations(pod) == []
    mounts = {
        mount["mountPath"].removeprefix("/data/"): mount.get("readOnly")
        for mount in pod["containers"][0]["volumeMounts"]
    }
    weights = {"weights": True} if spec.family != "filters" else {"drive": True, "cache": False}
    assert mounts == {"endpoints": False, "/tmp": None} | weights


def test_families_are_those_of_the_catalogue():
    entries = json.loads(manifests.CATALOG.read_text())["processors"]
    assert {spec.family for spec in manifests.specs()} == {entry["package"] for entry in entries}
    assert [spec.family for spec in manifests.specs()] == ["classifier", "filters", "gan", "yolov5"]


def test_manifests_are_up_to_date():
    """Else: python -m apps.cluster.kube.manifests"""
    written = {path.name: path.read_text() for path in manifests.FOLDER.iterdir()}

    assert written == manifests.files()
    kinds = [thing["kind"] for thing in yaml.safe_load_all(written["gan.yaml"])]
    assert kinds == ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
