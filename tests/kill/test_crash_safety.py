"""kill -9, at random moments, in the middle of real jobs of 200 photos, on a real platform.

Each kind of process is killed at least ten times. However it went, each job ends complete: every photo has
one document and one picture, nothing is left claimed, placed or half-written, and no process is left over.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.api_client import Api, wait_until
from tests.kill.photos import photo
from tests.platform_fixture import Platform, leftovers

pytestmark = pytest.mark.kill

PHOTOS = 200
KILLS = 10
APP = {"app": "pixelart", "params": {"block_size": 2, "dither": "atkinson"}}  # about 0.15 s a photo

VICTIMS = {
    "node": ("node-1", "node-2"),
    "batch": ("batch",),
    "controller": ("controller",),
    "redis": ("redis",),
    "web": ("web",),
}


@pytest.fixture(scope="module")
def api(platform) -> Api:
    return platform.api("buyer")


@pytest.fixture(scope="module")
def folder(api) -> str:
    folder_id: str = api.post("/folders", json={"name": "Two hundred"})["id"]
    for start in range(0, PHOTOS, 50):
        api.upload(folder_id, [(f"{n:03}.jpg", photo(n, 640, 480)) for n in range(start, start + 50)])
    return folder_id


@pytest.mark.parametrize("victim", VICTIMS)
def test_job_survives_kills(victim, platform, api, folder):
    rng = Random(victim)
    killed = 0

    while killed < KILLS:
        job_id = api.post("/jobs", json={**APP, "folder": folder})["id"]
        killed += _kill_during(platform, api, job_id, VICTIMS[victim], rng)
        job = api.wait_for_job(job_id, seconds=180)
        _assert_complete(platform, api, job)

    _assert_all_services_are_back(platform, api)


def _kill_during(platform: Platform, api: Api, job_id: str, names: tuple[str, ...], rng: Random) -> int:
    """Kill until the job has ended or has seen its share of kills. How many it saw."""
    killed, last = 0, 0
    wait_until(lambda: api.job(job_id)["status"] != "queued", 30, "the job to start")
    while killed < KILLS and api.job(job_id)["status"] == "running":
        time.sleep(rng.uniform(0.1, 1.0))
        victim = _victim(platform, rng.choice(names), rng)
        if victim not in (None, last):  # the one before has been replaced
            os.kill(victim, signal.SIGKILL)
            killed, last = killed + 1, victim
    return killed


def _victim(platform: Platform, name: str, rng: Random) -> int | None:
    try:
        pids = platform.pids("batch") if name == "batch" else [platform.pid(name)]
    except KeyError:
        return None  # it is being started again
    return rng.choice([pid for pid in pids if Path(f"/proc/{pid}").exists()] or [None])


def _assert_complete(platform: Platform, api: Api, job: dict) -> None:
    assert (job["status"], job["done"], job["failed"], job["total"]) == ("succeeded", PHOTOS, 0, PHOTOS), job

    documents = Counter(doc["image"] for doc in api.everything(f"/jobs/{job['id']}/results"))
    assert len(documents) == PHOTOS
    assert set(documents.values()) == {1}

    pictures = api.everything("/images", folder=job["output_folder"])
    assert len(pictures) == PHOTOS
    assert len({picture["name"] for picture in pictures}) == PHOTOS
    for picture in pictures:
        content = api.call("GET", f"/images/{picture['id']}/content")
        assert hashlib.sha256(content.content).hexdigest() == picture["sha256"]

    left = platform.data_dir / "jobs" / job["id"]
    assert [str(path) for path in left.glob("pending/*")] == []
    assert [str(path) for path in left.glob("claimed/*")] == []


def _assert_all_services_are_back(platform: Platform, api: Api) -> None:
    def idle() -> bool:
        response = api.http.get(f"{platform.base_url}/readyz")
        nodes = api.get("/nodes")["items"]
        return (
            response.status_code == 200
            and all(node["status"] == "ready" and node["active"] == 0 for node in nodes)
            and not platform.pids("batch")
        )

    wait_until(idle, 60, "every node to be ready and idle")
    services = json.loads((platform.data_dir / "run" / "pids.json").read_text())
    assert len(set(services.values())) == len(services)
    strays = {int(line.split()[0]) for line in leftovers(platform.data_dir)} - platform.family()
    assert strays == set()
