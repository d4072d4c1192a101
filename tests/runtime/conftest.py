from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jobfolder
from jobfolder import ChunkImage, JobSpec, Limits
from model_images.runtime import registry
from tests.runtime import pictures

APPS = "tests.runtime.apps"
OWNER = "7"


def until(condition: Callable[[], Any], what: str, seconds: float = 45) -> Any:
    """Poll until `condition` is true; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.005)
    return value


@pytest.fixture
def trial_apps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test processors, in this process and in those it starts."""
    monkeypatch.setenv("EXTRA_PROCESSORS", APPS)
    registry.processors.cache_clear()
    yield
    registry.processors.cache_clear()


class Jobs:
    """Makes job folders with photos, and reads what came of them."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.workers: list[subprocess.Popen[bytes]] = []

    def photo(self, data: bytes, owner: str = OWNER) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self.data_dir / "drive" / owner / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest

    def create(self, photos: list[bytes | str], params: dict[str, Any] | None = None, **options: Any) -> Path:
        """A job over `photos`; a photo may be the hash of one that is already there, or missing. `each`
        are the params of single photos, by position; `size` how many go in a chunk."""
        each, size = options.pop("each", {}), options.pop("size", 3)
        digests = [photo if isinstance(photo, str) else self.photo(photo) for photo in photos]
        items = [
            ChunkImage(f"image{n:03}", n, f"photo {n}.jpeg", digest, each.get(n))
            for n, digest in enumerate(digests)
        ]
        chunks = [
            jobfolder.Chunk(f"1-{n:04}", tuple(items[start : start + size]))
            for n, start in enumerate(range(0, len(items), size), 1)
        ]
        values = {"job": "job1", "app": "trial", "app_version": "7", "limits": Limits(image_seconds=10)}
        spec = JobSpec(owner=OWNER, params=params or {}, **(values | options))
        root = jobfolder.jobs_root(self.data_dir)
        assert jobfolder.create(root, spec, chunks)
        return root / spec.job

    def worker(self, folder: Path, name: str = "w1", *options: str, **env: str) -> subprocess.Popen[bytes]:
        """A real worker process, as the command line starts it."""
        command = ["-m", "model_images.runtime", "batch", "--job", str(folder), "--worker", name, *options]
        process = subprocess.Popen([sys.executable, *command], env=dict(os.environ) | env)
        self.workers.append(process)
        return process

    def documents(self, folder: Path) -> dict[str, dict[str, Any]]:
        """By image. Fails when an image has two."""
        documents = jobfolder.tail_results(folder, {}, limit=10**6)[0]
        found = {document["image"]: document for document in documents}
        assert len(found) == len(documents), "an image has two documents"
        return found


@pytest.fixture
def jobs(tmp_path: Path, trial_apps: None) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "data")
    yield jobs
    for process in jobs.workers:
        process.kill()
        process.wait()


@pytest.fixture
def photos() -> list[bytes]:
    """Eight photos that differ."""
    return [pictures.png(pictures.noise(16, 12)) for _ in range(8)]
