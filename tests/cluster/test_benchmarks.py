"""Real runs of the Benchmarks page: the worker asks by rows, and the controller alone starts pods."""

from __future__ import annotations

import csv
import io
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from marketplace.embedded import plan
from tests.api_client import Api, wait_until
from tests.cluster.conftest import upload
from tests.cluster.scripts import Scripts
from tests.cluster.site import TTL, Site

FEW = {"images": 30, "seeds": 1, "mean": 0.05, "alone": False}
LONG = {"images": 300, "seeds": 1, "mean": 0.3, "alone": False, "policies": ["pull"]}
PATIENCE = 300.0  # photos are made and nodes are measured before the first image


@pytest.fixture(scope="module")
def site(cluster: Scripts) -> Iterator[Site]:
    """A site of its own, with a worker for background tasks: the process that measures. It has no rights at
    the API server, nor even its address."""
    site = Site(cluster, ["filters"], EXTRA_PROCESSORS="", KUBE_WORKER_CPU="900m")
    try:
        site.start()
        start_worker(site)
        yield site
    finally:
        site.stop()


def start_worker(site: Site) -> None:
    site.spawn("worker", plan.worker(site.env).command, KUBECONFIG="/nowhere")


def start(site: Site, **config: Any) -> str:
    body = {"kind": "real", "config": config}
    return str(site.api("admin").post("/benchmarks", json=body)["id"])


def run_of(site: Site, run: str) -> dict[str, Any]:
    found: dict[str, Any] = site.api("admin").get(f"/benchmarks/{run}")
    assert found["status"] != "failed", found["reason"]
    return found


def finished(site: Site, run: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_until(
        lambda: (one := run_of(site, run))["status"] == "succeeded" and one,
        PATIENCE,
        "the benchmark to succeed",
        pause=1,
    )
    return found


def images_by_policy(site: Site, run: str) -> dict[str, list[dict[str, str]]]:
    text = site.api("admin").call("GET", f"/benchmarks/{run}/images.csv").text
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        found.setdefault(row["policy"], []).append(row)
    return found


def active(site: Site) -> dict[str, int]:
    return {node["name"]: node["active"] for node in site.api("admin").get("/nodes")["items"]}


def assert_nothing_is_left(site: Site) -> None:
    wait_until(lambda: not any(active(site).values()), 30, "the slots to be free")

    def left() -> list[Any]:
        return [*site.jobs(), *site.pods(), *(site.data_dir / "jobs").glob("benchmark-*")]

    wait_until(lambda: not left(), TTL + 60, f"pods and folders of benchmarks to be gone: {left()}", pause=1)


def test_every_image_once_under_every_policy(site: Site):
    run = start(site, **FEW, policies=["pull", "round_robin", "scheduler"])
    wait_until(lambda: any(active(site).values()) and site.live_pods(), 60, "slots to be lent")

    found = finished(site, run)

    by_policy = images_by_policy(site, run)
    assert by_policy.keys() == {"pull", "round_robin", "scheduler"}
    for policy, rows in by_policy.items():
        assert sorted(int(row["task"]) for row in rows) == list(range(30)), policy
    nodes = set(site.ready_nodes())
    assert {row["node"] for row in by_policy["round_robin"]} == nodes
    assert len({row["node"] for row in by_policy["pull"]}) >= 2
    assert all(row["measures"]["makespan"]["mean"] > 0 for row in found["rows"])
    assert_nothing_is_left(site)


def test_peoples_jobs_go_first_and_it_goes_on_afterwards(site: Site):
    buyer: Api = site.api("buyer")
    folder = upload(buyer, "Harbour", 12)
    run = start(site, **LONG)
    wait_until(lambda: any(active(site).values()), 60, "slots to be lent")

    job = buyer.post("/jobs", json={"app": "blackwhite", "folder": folder})

    assert buyer.wait_for_job(job["id"], 60)["status"] == "succeeded"
    images = buyer.everything(f"/jobs/{job['id']}/results")
    assert len({one["image"] for one in images}) == 12
    assert run_of(site, run)["progress"]["done"] == 0
    finished(site, run)
    assert sorted(int(row["task"]) for row in images_by_policy(site, run)["pull"]) == list(range(300))
    assert_nothing_is_left(site)


def test_worker_that_is_killed_leaves_nothing_and_another_goes_on(site: Site):
    run = start(site, **LONG | {"images": 100})
    wait_until(lambda: any(pod.status.phase == "Running" for pod in site.pods()), 60, "pods to run")

    site.end("worker", signal.SIGKILL)
    first = {pod.metadata.name for pod in site.pods()}
    wait_until(lambda: not any(active(site).values()), 60, "slots of a dead process to be free")
    wait_until(lambda: not first & {pod.metadata.name for pod in site.live_pods()}, 60, "its pods to be gone")
    start_worker(site)

    finished(site, run)
    counts = Counter(int(row["task"]) for row in images_by_policy(site, run)["pull"])
    assert counts == Counter(range(100))
    assert_nothing_is_left(site)
