"""After all drills (tests run in the order of their files' names): nothing of any job is left behind."""

from __future__ import annotations

from tests.api_client import wait_until
from tests.cluster.site import TTL, Site


def test_namespace_is_empty(site: Site):
    """Ended workers' Jobs are kept for TTL seconds for their logs; then they go, and their pods with them."""

    def left() -> list[str]:
        maps = site.core.list_namespaced_config_map(
            site.namespace, label_selector="app.kubernetes.io/managed-by=pixelyard"
        )
        things = [*site.jobs(), *site.pods(), *maps.items]
        return [f"{type(one).__name__} {one.metadata.name}" for one in things]

    wait_until(lambda: not left(), TTL + 60, f"the namespace to be empty; left: {left()}", pause=1)


def test_no_worker_counts_as_alive(site: Site):
    nodes = site.api("admin").get("/nodes")["items"]
    assert {node["name"]: node["active"] for node in nodes} == dict.fromkeys(site.ready_nodes(), 0)
