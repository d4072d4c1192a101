"""A whole platform on a temporary data folder, for benchmarks that measure through HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Platform:
    """A running platform, and the API as the demo buyer."""

    base_url: str
    data_dir: Path
    http: httpx.Client

    def api(self, method: str, path: str, **kwargs: Any) -> Any:
        response = self.http.request(method, f"/api/v1{path}", **kwargs)
        response.raise_for_status()
        return response.json()

    def folder(self, name: str, photos: list[tuple[str, bytes]]) -> str:
        """A new folder at the top of the drive with these photos. Its id."""
        folder: str = self.api("POST", "/folders", json={"name": name})["id"]
        for start in range(0, len(photos), 25):
            files = [("files", (name, data, "image/jpeg")) for name, data in photos[start : start + 25]]
            self.api("POST", f"/folders/{folder}/images", files=files)
        return folder

    def run_job(self, **body: Any) -> float:
        """Seconds from the request to the job's end, as a client that polls every 10 ms sees it."""
        start = time.perf_counter()
        job = self.api("POST", "/jobs", json=body)
        while job["status"] in {"queued", "running"}:
            time.sleep(0.01)
            job = self.api("GET", f"/jobs/{job['id']}")
        if job["status"] != "succeeded" or job["failed"]:
            raise RuntimeError(f"the job ended as {job['status']}: {job['reason']}")
        return time.perf_counter() - start


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def platform(nodes: int = 2) -> Iterator[Platform]:
    """Start everything, wait until it is ready, stop it."""
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        env = {**os.environ, "PORT": str(_free_port()), "DATA_DIR": folder, "NODES": str(nodes)}
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace.embedded"], env=env, stdout=subprocess.DEVNULL
        )
        try:
            yield _connect(Path(folder), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _connect(folder: Path, process: subprocess.Popen[bytes]) -> Platform:
    end = time.monotonic() + 90
    ready = folder / "demo.json"
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the platform did not start")
        time.sleep(0.1)
    demo = json.loads(ready.read_text())
    token = next(user["token"] for user in demo["users"] if user["role"] == "buyer")
    http = httpx.Client(base_url=demo["base_url"], headers={"Authorization": f"Bearer {token}"}, timeout=120)
    return Platform(demo["base_url"], folder, http)
