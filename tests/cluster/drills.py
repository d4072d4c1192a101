"""Ways to break a cluster by hand, each undone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kubernetes.client import ApiException

from tests.api_client import wait_until
from tests.cluster.site import Site

QUOTA = "drill"
NO_IMAGE = "localhost:9/nobody-has-this:1"  # in a registry that refuses connections, and does so at once


@contextmanager
def cordoned(site: Site, *nodes: str) -> Iterator[None]:
    """As `kubectl cordon` does."""
    with site.scripts.alone():
        try:
            for node in nodes:
                site.core.patch_node(node, {"spec": {"unschedulable": True}})
            yield
        finally:
            for node in nodes:
                site.core.patch_node(node, {"spec": {"unschedulable": None}})


@contextmanager
def quota(site: Site, **hard: str) -> Iterator[None]:
    """No more than that in the namespace, in force when this starts."""
    limits = {name.replace("_", "."): amount for name, amount in hard.items()}
    site.core.create_namespaced_resource_quota(
        site.namespace, {"metadata": {"name": QUOTA}, "spec": {"hard": limits}}
    )

    def counted() -> bool:
        return bool(site.core.read_namespaced_resource_quota(QUOTA, site.namespace).status.hard)

    wait_until(counted, 20, "the quota to be in force")
    try:
        yield
    finally:
        site.core.delete_namespaced_resource_quota(QUOTA, site.namespace)


@contextmanager
def controller_with(site: Site, **env: str) -> Iterator[None]:
    """Another controller in the place of the one there is, with other settings."""
    site.end("controller")
    site.controller(**env)
    try:
        yield
    finally:
        site.end("controller")
        site.controller()


def working_pod(site: Site, job_id: str) -> str:
    """A pod of the job that runs now, on a node that is known."""

    def found() -> str:
        for pod in site.pods(job_id):
            if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp:
                return str(pod.metadata.name)
        return ""

    return str(wait_until(found, 30, f"a pod of {job_id} to run", pause=0.05))


def node_of(site: Site, pod: str) -> str:
    return str(site.core.read_namespaced_pod(pod, site.namespace).spec.node_name)


def delete_pod(site: Site, name: str, *, grace: int | None = None) -> None:
    with suppress(ApiException):
        site.core.delete_namespaced_pod(name, site.namespace, grace_period_seconds=grace)


def delete_job(site: Site, name: str) -> None:
    site.batch.delete_namespaced_job(name, site.namespace, propagation_policy="Background")
