"""What must hold after every drill, whatever was broken in it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from typing import Any

from tests.api_client import Api, wait_until
from tests.cluster.site import Site

LEAVE_SECONDS = 40


def submit(api: Api, folder: str, count: int = 3, **params: Any) -> dict[str, Any]:
    """A job of the tests' own processor on at most `count` workers."""
    body = {"app": "prober", "folder": folder, "params": params, "parallelism": count}
    job: dict[str, Any] = api.post("/jobs", json=body)
    return job


def wait_for_some(api: Api, job_id: str, done: int = 1, seconds: float = 120) -> dict[str, Any]:
    """Until the job is at work: `done` photos have a result, and not all."""

    def at_work() -> dict[str, Any] | None:
        job = api.job(job_id)
        assert job["status"] in {"queued", "running"}, job
        return job if job["done"] >= done else None

    return wait_until(at_work, seconds, f"{done} photos of {job_id} to be done", pause=0.05)


def wait_for_reason(api: Api, job_id: str, *words: str, seconds: float = 120) -> str:
    """Until the job's reason holds all these words."""
    last = ""

    def told() -> str:
        nonlocal last
        job = api.job(job_id)
        last = f"{job['status']}: {job['reason']}"
        return last if all(word.lower() in last.lower() for word in words) else ""

    try:
        return wait_until(told, seconds, "")
    except AssertionError:
        raise AssertionError(f"no {words} in the job's reason, which is “{last}”") from None


def assert_exactly_once(site: Site, job: dict[str, Any], *, failed: dict[str, str] | None = None) -> None:
    """Every photo has one document and, if it did not fail, one picture in the drive. `failed`: the names of
    those that may fail, and with which code."""
    api, wrong = site.api(), failed or {}
    documents = api.everything(f"/jobs/{job['id']}/results")
    images = Counter(document["image"] for document in documents)
    assert set(images.values()) <= {1}, "an image has two documents"
    assert len(documents) == job["done"] == job["total"], job
    codes = {doc["name"]: doc["error"]["code"] for doc in documents if doc["status"] == "failed"}
    assert codes == wrong
    assert job["failed"] == len(wrong)
    _assert_pictures(api, job, job["total"] - len(wrong))
    folder = site.data_dir / "jobs" / job["id"]
    left = [path.name for kind in ("pending", "claimed") for path in (folder / kind).glob("*")]
    assert left == []


def _assert_pictures(api: Api, job: dict[str, Any], count: int) -> None:
    pictures = api.everything("/images", folder=job["output_folder"]) if job["output_folder"] else []
    assert len({picture["name"] for picture in pictures}) == len(pictures) == count
    for picture in pictures[:5]:
        content = api.call("GET", f"/images/{picture['id']}/content").content
        assert hashlib.sha256(content).hexdigest() == picture["sha256"]


def assert_nothing_runs(site: Site, job_id: str, seconds: float = LEAVE_SECONDS) -> None:
    """Soon after a job's end nothing of it runs or waits to run. Its ended objects stay for a while, for
    their logs: test_leftovers.py sees them go."""

    def left() -> list[str]:
        pods = [f"pod {pod.metadata.name}: {pod.status.phase}" for pod in site.live_pods(job_id)]
        return pods + [f"job {name}" for name in _unfinished(site, job_id)]

    end = time.monotonic() + seconds
    while found := left():
        assert time.monotonic() < end, f"still there {seconds:g} s after the end: {found}"
        time.sleep(0.2)


def _unfinished(site: Site, job_id: str) -> list[str]:
    return [job.metadata.name for job in site.jobs(job_id) if not _has_ended(job)]


def _has_ended(job: Any) -> bool:
    return any(
        one.type in {"Complete", "Failed"} and one.status == "True" for one in job.status.conditions or ()
    )


def events(site: Site, job_id: str, kind: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.api().everything(f"/jobs/{job_id}/log")
    return [event for event in found if kind in ("", event["kind"])]


def workers_of(site: Site, job_id: str) -> set[str]:
    """The nodes that the job has had workers on."""
    return {worker["node"] for worker in site.api().job(job_id)["workers"]}
