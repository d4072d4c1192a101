"""The level `restricted` of the Kubernetes Pod Security Standards, as a checker.

Rules: kubernetes.io/docs/concepts/security/pod-security-standards, "Baseline" and "Restricted" (Linux).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
}  # fmt: skip
_SECCOMP = {"RuntimeDefault", "Localhost"}
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
}  # fmt: skip
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def violations(pod: dict[str, Any], annotations: dict[str, str] | None = None) -> list[str]:
    """What in a pod's spec the level refuses, in words; empty when the pod is admitted."""
    return [*_pod(pod, annotations or {}), *_containers(pod)]


def pod_specs(thing: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod's spec in a Pod, or in whatever has a template of one (Deployment, Job, CronJob, …)."""
    spec = thing.get("spec") or {}
    if thing.get("kind") == "Pod":
        yield spec
    elif thing.get("kind") == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]["spec"]
    elif "template" in spec and "spec" in spec["template"]:
        yield spec["template"]["spec"]


def _pod(pod: dict[str, Any], annotations: dict[str, str]) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"{field} is set"
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']} is a {', '.join(kinds - _VOLUMES)}"
    security = pod.get("securityContext", {})
    for sysctl in security.get("sysctls", []):
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _identity("pod", security)
    if any("apparmor" in key and not value.startswith("runtime/") for key, value in annotations.items()):
        yield "an AppArmor profile is overridden"


def _containers(pod: dict[str, Any]) -> Iterator[str]:
    of_pod = pod.get("securityContext", {})
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(kind, []):
            own = container.get("securityContext", {})
            yield from _container(container, own, of_pod)


def _container(container: dict[str, Any], own: dict[str, Any], of_pod: dict[str, Any]) -> Iterator[str]:
    who = f"container {container['name']}"
    yield from _identity(who, own)
    if own.get("privileged"):
        yield f"{who} is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{who} may escalate its privileges"
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield f"{who} may run as root"
    profile = own.get("seccompProfile", of_pod.get("seccompProfile", {})).get("type")
    if profile not in _SECCOMP:
        yield f"{who} has the seccomp profile {profile}"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{who} keeps capabilities"
    if extra := set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{who} adds {', '.join(sorted(extra))}"
    if own.get("procMount", "Default") != "Default":
        yield f"{who} has another /proc"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"{who} takes port {port['hostPort']} of its host"


def _identity(who: str, security: dict[str, Any]) -> Iterator[str]:
    if security.get("runAsUser") == 0:
        yield f"{who} runs as user 0"
    if security.get("runAsNonRoot") is False:
        yield f"{who} may run as root"
    if security.get("seccompProfile", {}).get("type") == "Unconfined":
        yield f"{who} has no seccomp profile"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield f"{who} is a process of its host"
    if security.get("seLinuxOptions", {}).get("type", "") not in _SELINUX:
        yield f"{who} has an SELinux type of its own"
