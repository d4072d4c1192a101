"""Photos, apps, a clock that tests move, and a controller on the fake engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.drive.models import Folder, Image
from apps.drive.storage import blob_path
from apps.processing.controller.loop import Controller
from apps.processing.models import Job
from apps.processing.services import jobs, wakeup
from apps.processing.services.jobs import JobRequest
from tests.processing.fakes import FakeEngine

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "mode": {"type": "string", "enum": ["grayscale", "otsu"], "default": "grayscale"},
        "contrast": {"type": "number", "minimum": -1, "maximum": 1, "default": 0},
        "tile_folder": {
            "anyOf": [{"type": "string", "maxLength": 22}, {"type": "null"}],
            "default": None,
            "x-asset": "folder",
        },
    },
}


def _processor(name: str, title: str, outputs: list[str]) -> dict:
    return {
        "name": name,
        "title": title,
        "summary": f"{title} in one sentence.",
        "kind": "filter",
        "version": "1",
        "outputs": outputs,
        "seconds_per_megapixel": 0.02,
        "params_schema": SCHEMA,
    }


@pytest.fixture(autouse=True)
def apps(settings, tmp_path):
    """A catalogue of two apps, in a project folder of its own."""
    settings.BASE_DIR = tmp_path / "project"
    folder = settings.BASE_DIR / "model_images"
    folder.mkdir(parents=True)
    bw = _processor("bw", "Black & white", ["image"])
    ascii = _processor("ascii", "ASCII", ["image", "text"])
    (folder / "catalog.json").write_text(json.dumps({"processors": [bw, ascii]}))
    return folder / "catalog.json"


@pytest.fixture(autouse=True)
def _quiet_bell():
    """No ring of one test wakes another's controller."""
    wakeup._bell.cache_clear()


Photos = Callable[..., Folder]


@pytest.fixture
def photos(db) -> Photos:
    """A folder of `count` photos of one megapixel each: rows, and bytes that nobody decodes."""

    def make(owner: User, count: int = 3, name: str = "Harbour", parent: Folder | None = None) -> Folder:
        folder = Folder.objects.create(owner=owner, name=name, parent=parent)
        for number in range(count):
            data = f"{folder.id} {number}".encode()
            sha256 = hashlib.sha256(data).hexdigest()
            path = blob_path(owner.id, sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            Image.objects.create(
                owner=owner,
                folder=folder,
                name=f"{number:04}.jpg",
                sha256=sha256,
                format="jpeg",
                bytes=len(data),
                width=1000,
                height=1000,
            )
        return folder

    return make


@pytest.fixture
def submit(photos) -> Callable[..., Job]:
    def make(owner: User, count: int = 3, name: str = "Harbour", **request) -> Job:
        folder = photos(owner, count, name)
        return jobs.submit(owner, JobRequest(**{"app": "bw", "folder": folder.id} | request))

    return make


class Clock:
    """Time moves when a test moves it."""

    def __init__(self) -> None:
        self.start = timezone.now()
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def move(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(**{"node-1": 1, "node-2": 1})


@pytest.fixture
def controller(engine, clock, db) -> Controller:
    return make_controller(engine, clock)


def make_controller(engine: FakeEngine, clock: Clock) -> Controller:
    return Controller(engine, clock=clock.monotonic, now=clock.now)


def run_to_end(controller: Controller, engine: FakeEngine, job: Job, outcome=lambda image: "") -> Job:
    """Tick and work until the job has ended; fails if it does not within 200 rounds."""
    for _ in range(200):
        controller.tick()
        engine.work(1, outcome)
        job.refresh_from_db()
        if job.status not in {"queued", "running"}:
            return job
    raise AssertionError(f"the job is still {job.status}: {job.reason}")
