"""What kustomize builds: valid for current Kubernetes, restricted, complete, and with no right too many."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from apps.cluster.kube.rights import NEEDED
from tests.k8s import kustomize
from tests.restricted import pod_specs, violations

Thing = dict[str, Any]
VERSIONS = ("1.31", "1.37")  # the oldest that clouds still run, and the newest
OLD = {
    "policy/v1beta1",
    "autoscaling/v2beta2",
}  # of Kubernetes 1.20, in the overlay of the test cluster alone
OPERATORS = {"monitoring.coreos.com/v1"}  # custom resources
DJANGO = {"web", "worker", "controller", "prepare", "intake"}


def named(built: list[Thing], kind: str, name: str) -> Thing:
    (found,) = (t for t in built if t["kind"] == kind and t["metadata"]["name"] == name)
    return found


def pods(built: list[Thing]) -> Iterator[tuple[str, Thing]]:
    for thing in built:
        for spec in pod_specs(thing):
            yield f"{thing['kind']}/{thing['metadata']['name']}", spec


def containers(spec: Thing) -> list[Thing]:
    return [*spec.get("initContainers", []), *spec["containers"]]


@cache
def validate(text: str, version: str) -> None:
    """Once for what several overlays share: a look into the schemas takes long."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(built: list[Thing], overlay: str, version: str) -> None:
    checked = 0
    for thing in built:
        if thing["apiVersion"] in OPERATORS or (overlay == "test-cluster" and thing["apiVersion"] in OLD):
            continue
        validate(json.dumps(thing), version)
        checked += 1
    assert checked > 35


def test_the_schemas_find_a_misspelt_field(built: list[Thing]) -> None:
    thing = named(built, "Deployment", "web")
    broken = thing | {"spec": thing["spec"] | {"replica": 2}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_older_versions_are_named_by_the_test_cluster_alone(built: list[Thing], overlay: str) -> None:
    assert ({t["apiVersion"] for t in built} & OLD == OLD) == (overlay == "test-cluster")


def test_every_pod_is_admitted_at_the_level_restricted(built: list[Thing]) -> None:
    seen = dict(pods(built))

    assert {"Deployment/web", "Deployment/controller", "Deployment/runtime-filters", "Job/prepare"} <= set(
        seen
    )
    assert {name: violations(spec) for name, spec in seen.items() if violations(spec)} == {}


def test_every_container_has_a_read_only_root_and_bounds(built: list[Thing]) -> None:
    for name, spec in pods(built):
        for container in containers(spec):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
            assert ":latest" not in container["image"] and ":" in container["image"], name


def test_both_namespaces_enforce_the_level(built: list[Thing]) -> None:
    for name in ("pixelyard", "pixelyard-jobs"):
        labels = named(built, "Namespace", name)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_object_can_be_found_by_its_label(built: list[Thing]) -> None:
    for thing in built:
        assert thing["metadata"]["labels"]["app.kubernetes.io/part-of"] == "pixelyard", thing["metadata"][
            "name"
        ]


def test_objects_lie_in_one_of_the_two_namespaces(built: list[Thing]) -> None:
    whole = {"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "PersistentVolume"}
    for thing in built:
        if thing["kind"] not in whole:
            assert thing["metadata"]["namespace"] in {"pixelyard", "pixelyard-jobs"}, thing["metadata"]


# --- References ----------------------------------------------------------------------------------


def references(spec: Thing) -> Iterator[tuple[str, str]]:
    if "serviceAccountName" in spec:
        yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec.get("volumes", []):
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    for container in containers(spec):
        for source in container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source and not source[key].get("optional"):
                    yield kind, source[key]["name"]
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if key in source:
                    yield kind, source[key]["name"]


def test_what_pods_name_is_in_their_namespace(built: list[Thing]) -> None:
    there = {(t["kind"], t["metadata"].get("namespace"), t["metadata"]["name"]) for t in built}
    for thing in built:
        for spec in pod_specs(thing):
            for kind, name in references(spec):
                assert (kind, thing["metadata"]["namespace"], name) in there, (
                    thing["metadata"]["name"],
                    name,
                )
            assert ("PriorityClass", None, spec["priorityClassName"]) in there


def test_services_budgets_and_scalers_select_something(built: list[Thing]) -> None:
    templates = [
        (t["metadata"]["namespace"], t["spec"]["template"]["metadata"]["labels"])
        for t in built
        if t["kind"] in {"Deployment", "StatefulSet"}
    ]
    for thing in built:
        if thing["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = thing["spec"]["selector"]
            wanted = selector.get("matchLabels", selector).items()
            space = thing["metadata"]["namespace"]
            assert any(space == s and wanted <= labels.items() for s, labels in templates), thing["metadata"]
        if thing["kind"] == "HorizontalPodAutoscaler":
            target = thing["spec"]["scaleTargetRef"]
            assert (
                named(built, target["kind"], target["name"])["metadata"]["namespace"]
                == (thing["metadata"]["namespace"])
            )


def test_one_storage_is_claimed_in_both_namespaces(built: list[Thing]) -> None:
    claims = [t for t in built if t["kind"] == "PersistentVolumeClaim"]

    assert sorted(c["metadata"]["namespace"] for c in claims) == ["pixelyard", "pixelyard-jobs"]
    for claim in claims:
        volume = named(built, "PersistentVolume", claim["spec"]["volumeName"])
        where = {"namespace": claim["metadata"]["namespace"], "name": claim["metadata"]["name"]}
        assert volume["spec"]["claimRef"] == where
        assert volume["spec"]["accessModes"] == claim["spec"]["accessModes"] == ["ReadWriteMany"]
        assert volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"] == ""


# --- Rights --------------------------------------------------------------------------------------


def rules_of(built: list[Thing], account: str) -> list[tuple[str, Thing]]:
    """(namespace, "" for the whole cluster; rule) of every binding that names the account."""
    found = []
    for binding in built:
        if binding["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        for subject in binding["subjects"]:
            assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", "pixelyard")
            if subject["name"] == account:
                role = named(built, binding["roleRef"]["kind"], binding["roleRef"]["name"])
                found += [(binding["metadata"].get("namespace", ""), rule) for rule in role["rules"]]
    return found


@pytest.mark.parametrize("account", ["pixelyard-web", "pixelyard-worker"])
def test_web_and_workers_have_no_rights_and_no_token(built: list[Thing], account: str) -> None:
    assert rules_of(built, account) == []
    users = [spec for _, spec in pods(built) if spec.get("serviceAccountName") == account]
    assert users
    for spec in users:
        assert spec["automountServiceAccountToken"] is False


def test_the_controller_acts_in_the_namespace_of_the_jobs_alone(built: list[Thing]) -> None:
    rules = rules_of(built, "pixelyard-controller")

    assert [rule for space, rule in rules if not space] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}
    ]
    assert {space for space, _ in rules} == {"", "pixelyard-jobs"}
    for _, rule in rules:
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        assert not {"secrets", "pods/exec", "serviceaccounts"} & set(rule["resources"])


def test_the_controller_may_what_it_does_and_no_more(built: list[Thing]) -> None:
    granted = {
        resource: set(rule["verbs"])
        for _, rule in rules_of(built, "pixelyard-controller")
        for resource in rule["resources"]
    }
    scaling = {"deployments": {"list"}, "deployments/scale": {"patch"}}  # previews that sleep and wake

    assert granted == {kind: set(verbs) for kind, verbs in NEEDED.items()} | scaling


def test_only_the_controllers_pods_get_a_token(built: list[Thing]) -> None:
    with_token = {name for name, spec in pods(built) if spec.get("automountServiceAccountToken") is not False}

    assert with_token == {"Deployment/controller"}


# --- Network -------------------------------------------------------------------------------------


def policies(built: list[Thing], namespace: str) -> list[Thing]:
    return [t for t in built if t["kind"] == "NetworkPolicy" and t["metadata"]["namespace"] == namespace]


@pytest.mark.parametrize("namespace", ["pixelyard", "pixelyard-jobs"])
def test_everything_is_closed_at_first(built: list[Thing], namespace: str) -> None:
    (closed,) = (p for p in policies(built, namespace) if p["metadata"]["name"] == "deny-all")

    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_nothing_opens_batch_pods_and_previews_start_no_connection(built: list[Thing]) -> None:
    opened = [p for p in policies(built, "pixelyard-jobs") if p["metadata"]["name"] != "deny-all"]

    assert [p["spec"]["podSelector"]["matchLabels"] for p in opened] == [
        {"app.kubernetes.io/name": "pixelyard-runtime"}
    ]
    assert all(p["spec"]["policyTypes"] == ["Ingress"] and "egress" not in p["spec"] for p in opened)


def test_servers_answer_django_alone(built: list[Thing]) -> None:
    servers = {t["metadata"]["name"] for t in built if t["kind"] == "StatefulSet"}
    for server in servers:
        policy = named(built, "NetworkPolicy", f"to-{server}")
        (rule,) = policy["spec"]["ingress"]
        (peer,) = rule["from"]
        (expression,) = peer["podSelector"]["matchExpressions"]
        assert set(peer) == {"podSelector"}  # of this namespace
        assert set(expression["values"]) == {f"pixelyard-{name}" for name in DJANGO}


# --- Secrets -------------------------------------------------------------------------------------


def test_the_servers_of_each_overlay(built: list[Thing], overlay: str) -> None:
    expected = {
        "self-contained": {"postgresql", "redis", "mongodb"},
        "test-cluster": {"postgresql", "redis"},
        "bring-your-own": set(),
    }
    assert {t["metadata"]["name"] for t in built if t["kind"] == "StatefulSet"} == expected[overlay]


def test_the_namespace_of_the_jobs_holds_no_secret_but_the_previews_token(built: list[Thing]) -> None:
    there = [t for t in built if t["kind"] == "Secret" and t["metadata"]["namespace"] == "pixelyard-jobs"]

    assert [sorted(secret["data"]) for secret in there] == [["RUNTIME_TOKEN"]]


def test_no_overlay_is_built_without_secrets(overlay: str, tmp_path: Path) -> None:
    command = kustomize.command()
    if command is None:
        pytest.skip("neither kustomize nor a kubectl with kustomize 5 is here")
    made = kustomize.copy_to(tmp_path)
    (made / "overlays" / overlay / "secrets" / "platform.env").unlink()
    done = subprocess.run(
        [*command, made / "overlays" / overlay], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "secrets/platform.env" in done.stderr


def test_django_pods_refuse_empty_secrets(built: list[Thing]) -> None:
    seen = 0
    for _, spec in pods(built):
        for container in spec.get("initContainers", []):
            words = [*container["command"], *container["args"]]
            required = words[words.index("--require") + 1 :]
            assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "RUNTIME_TOKEN"} == set(required)
            seen += 1
    assert seen >= 4


def test_settings_are_those_that_the_program_reads(built: list[Thing]) -> None:
    known = (kustomize.ROOT / "docs" / "settings.md").read_text()
    (settings,) = (
        t
        for t in built
        if t["kind"] == "ConfigMap" and t["metadata"]["name"].startswith("pixelyard-settings")
    )
    for name in set(settings["data"]) - {"PUBLIC_HOSTS"}:
        assert f"| `{name}` |" in known, name
