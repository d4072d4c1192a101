"""What every pod of the product gives up: the level `restricted` of the Pod Security Standards, and more."""

from __future__ import annotations

from typing import Any

UID = 10001  # of every process in every image, and of the files on the shared volume


def pod_security() -> dict[str, Any]:
    """A pod's `securityContext`."""
    return {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """A container's `securityContext`."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def closed_pod() -> dict[str, Any]:
    """Fields of a pod's spec: no token, nothing about other services in the environment, no rights."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
    }
