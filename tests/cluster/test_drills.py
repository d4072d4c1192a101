"""Breaking the cluster while jobs are at work. After each drill every photo has one result or is told failed,
nothing of the job is left running, and whoever asked for the job can read why it waits or what went wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.api_client import Api, wait_until
from tests.cluster import drills
from tests.cluster.site import Site
from tests.cluster.truth import (
    assert_exactly_once,
    assert_nothing_runs,
    events,
    submit,
    wait_for_reason,
    wait_for_some,
    workers_of,
)

PHOTO = 0.3  # seconds a photo
OUTAGE = 30.0


@pytest.fixture(autouse=True)
def _nothing_goes_on(site: Site) -> Iterator[None]:
    """A drill that fails must not hold up the next ones."""
    yield
    api = site.api()
    for job in api.everything("/jobs"):
        if job["status"] in {"queued", "running"}:
            api.call("POST", f"/jobs/{job['id']}/cancel")
            api.wait_for_job(job["id"], 60)


def finish(site: Site, job_id: str, seconds: float = 240) -> dict:
    """The job succeeds, with every photo once and nothing left."""
    job = site.api().wait_for_job(job_id, seconds)
    assert job["status"] == "succeeded", (job["status"], job["reason"], site.output("controller*"))
    assert_exactly_once(site, job)
    assert_nothing_runs(site, job_id)
    return job


def lost_reasons(site: Site, job_id: str) -> list[str]:
    return [event["reason"] for event in events(site, job_id, "worker_lost")]


def test_node_is_lost_in_mid_batch(site: Site, api: Api, forty: str):
    job = submit(api, forty, seconds=PHOTO)
    wait_for_some(api, job["id"], 3)
    node = drills.node_of(site, drills.working_pod(site, job["id"]))

    with site.scripts.node_down(node):
        ended = api.wait_for_job(job["id"], 240)

    assert ended["status"] == "succeeded", ended
    assert_exactly_once(site, ended)
    assert any(node in reason or "sign of life" in reason for reason in lost_reasons(site, job["id"]))
    assert workers_of(site, job["id"]) - {node}
    assert_nothing_runs(site, job["id"], seconds=60)


def test_controller_is_killed(site: Site, api: Api, forty: str):
    job = submit(api, forty, seconds=PHOTO)
    wait_for_some(api, job["id"], 3)

    site.end("controller", signal.SIGKILL)
    time.sleep(3)  # workers go on meanwhile: their queue is the job's folder
    site.controller()

    finish(site, job["id"])
    assert lost_reasons(site, job["id"]) == []  # it took over what it found


@pytest.mark.parametrize("grace", [None, 0], ids=["gracefully", "at once"])
def test_pod_is_deleted_by_hand(site: Site, api: Api, forty: str, grace: int | None):
    job = submit(api, forty, 2, seconds=PHOTO)
    wait_for_some(api, job["id"], 2)

    drills.delete_pod(site, drills.working_pod(site, job["id"]), grace=grace)

    finish(site, job["id"])


def test_job_object_is_deleted_by_hand(site: Site, api: Api, forty: str):
    job = submit(api, forty, 2, seconds=PHOTO)
    wait_for_some(api, job["id"], 2)
    victim = site.jobs(job["id"])[0].metadata.name

    drills.delete_job(site, victim)

    finish(site, job["id"])
    assert victim not in {one.metadata.name for one in site.jobs(job["id"])}


def test_cordoned_node_gets_nothing_new(site: Site, api: Api, forty: str):
    nodes = site.ready_nodes()
    with drills.cordoned(site, nodes[0]):
        wait_until(
            lambda: _status_of(site, nodes[0]) == "cordoned", 20, "the cordon to be seen by the platform"
        )
        job = submit(api, forty, seconds=0.05)
        finish(site, job["id"])
        assert workers_of(site, job["id"]) <= set(nodes[1:])
    wait_until(lambda: _status_of(site, nodes[0]) == "ready", 20, "the node to be ready again")


def test_all_nodes_cordoned_is_told(site: Site, api: Api, forty: str):
    with drills.cordoned(site, *site.ready_nodes()):
        job = submit(api, forty, seconds=0.05)
        wait_for_reason(api, job["id"], "node")
    finish(site, job["id"])


def _status_of(site: Site, name: str) -> str:
    nodes = site.api("admin").get("/nodes")["items"]
    return next(node["status"] for node in nodes if node["name"] == name)


def test_quota_is_told_and_waited_for(site: Site, api: Api, forty: str):
    with drills.quota(site, pods="0"):
        job = submit(api, forty, seconds=0.05)
        wait_for_reason(api, job["id"], "quota")
    finish(site, job["id"])


def test_image_that_cannot_be_pulled_is_told(site: Site, api: Api, forty: str):
    with drills.controller_with(site, KUBE_IMAGE=drills.NO_IMAGE):
        job = submit(api, forty, 1, seconds=0.05)
        wait_for_reason(api, job["id"], "image")
    finish(site, job["id"])


def test_api_server_is_away_for_half_a_minute(site: Site, api: Api, forty: str):
    job = submit(api, forty, seconds=1.5)
    wait_for_some(api, job["id"], 1)

    with site.scripts.api_frozen():
        before = api.job(job["id"])["done"]
        time.sleep(OUTAGE / 2)
        assert api.job(job["id"])["done"] > before  # workers need no API server, nor do their results
        later = submit(api, forty, 1, seconds=0.05)
        wait_for_reason(api, later["id"], "", seconds=5)
        time.sleep(OUTAGE / 2)

    finish(site, job["id"])
    finish(site, later["id"])


def test_cancel_while_pending(site: Site, api: Api, forty: str):
    with drills.controller_with(site, KUBE_IMAGE=drills.NO_IMAGE):
        job = submit(api, forty, seconds=0.05)
        wait_until(lambda: site.pods(job["id"]), 120, "its pods to be there, waiting")
        api.post(f"/jobs/{job['id']}/cancel", expect=200)

        ended = api.wait_for_job(job["id"], 60)

        assert (ended["status"], ended["done"]) == ("cancelled", 0)
        assert "ancelled" in ended["reason"]
        assert_nothing_runs(site, job["id"])


def test_cancel_while_running(site: Site, api: Api, forty: str):
    job = submit(api, forty, seconds=1.0)
    some = wait_for_some(api, job["id"], 2)
    api.post(f"/jobs/{job['id']}/cancel", expect=200)

    ended = api.wait_for_job(job["id"], 60)

    assert ended["status"] == "cancelled"
    assert some["done"] <= ended["done"] < ended["total"]
    results = api.everything(f"/jobs/{job['id']}/results")
    assert len({one["image"] for one in results}) == len(results) == ended["done"]
    assert_nothing_runs(site, job["id"])

    again = api.post(f"/jobs/{job['id']}/retry", expect=200)  # and what was done is not done again
    finish(site, again["id"])


def test_two_controllers_do_no_harm(site: Site, api: Api, forty: str):
    site.controller("second")
    try:
        job = submit(api, forty, seconds=1.5)  # longer by far than a lease lasts
        wait_for_some(api, job["id"], 3)
        site.end("controller", signal.SIGKILL)  # whether or not it had the lease
        wait_for_some(api, job["id"], 12)
    finally:
        site.controller()
        site.end("second")
    finish(site, job["id"])
    workers = [event["data"]["worker"] for event in events(site, job["id"], "worker_placed")]
    assert len(set(workers)) == len(workers)


@pytest.mark.parametrize("act", ["memory", "hog"])
def test_photo_that_needs_too_much_memory_fails_alone(site: Site, api: Api, forty: str, act: str):
    """At once, and bit by bit."""
    photos = api.everything("/images", folder=forty)
    greedy = photos[7]
    body = {
        "app": "prober",
        "folder": forty,
        "params": {"act": "invert"},
        "image_params": {greedy["id"]: {"act": act, "megabytes": 2000}},
    }
    job = api.post("/jobs", json=body)

    ended = api.wait_for_job(job["id"], 240)

    assert ended["status"] == "succeeded", ended
    assert_exactly_once(site, ended, failed={greedy["name"]: "out_of_memory"})
    failed = api.everything(f"/jobs/{job['id']}/results", status="failed")
    assert "memory" in failed[0]["error"]["message"]
    assert "1 of 40" in ended["reason"]
    assert_nothing_runs(site, job["id"])
