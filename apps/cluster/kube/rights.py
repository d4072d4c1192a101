"""What the controller must be allowed to do, asked of the API server itself."""

from __future__ import annotations

from apps.cluster.kube.api import Api

# As in k8s/base: nodes in the whole cluster, the rest in the jobs' namespace.
NEEDED = {
    "nodes": ("list", "watch"),
    "jobs": ("list", "watch", "create", "delete"),
    "pods": ("list", "watch"),
    "configmaps": ("list", "get", "create", "delete"),
    "events": ("list",),
}


def missing(api: Api) -> list[str]:
    """The rights that this process lacks, as "create jobs". Raises EngineError."""
    return [f"{verb} {kind}" for kind, verbs in NEEDED.items() for verb in verbs if not api.may(verb, kind)]
