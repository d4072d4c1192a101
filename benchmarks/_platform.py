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
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

_IDLE = 0.15  # processor seconds a second, of a platform that has nothing to do


@dataclass
class Platform:
    """A running platform, and the API as the demo buyer."""

    base_url: str
    data_dir: Path
    http: httpx.Client
    pid: int

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

    def run_job(self, **body: Any) -> Ran:
        """A job from the request to its end by the job's own clock, which is this machine's. The client looks
        every 100 ms, after two seconds every 500: each look costs the platform what a small photo does."""
        start, before = time.time(), cpu_seconds(self.pid)
        job = self.api("POST", "/jobs", json=body)
        while job["status"] in {"queued", "running"}:
            time.sleep(0.1 if time.time() - start < 2 else 0.5)
            job = self.api("GET", f"/jobs/{job['id']}")
        spent = cpu_seconds(self.pid) - before
        if job["status"] != "succeeded" or job["failed"]:
            raise RuntimeError(f"the job ended as {job['status']}: {job['reason']}")
        return Ran(datetime.fromisoformat(job["finished"]).timestamp() - start, spent)

    def settle(self, seconds: float = 120) -> None:
        """Wait until nothing is going on, such as thumbnails of what was uploaded, and all that was written
        is on the disk: neither is to be charged to what comes next."""
        end = time.monotonic() + seconds
        busy = True
        while busy and time.monotonic() < end:
            before = cpu_seconds(self.pid)
            time.sleep(1)
            busy = cpu_seconds(self.pid) - before > _IDLE
        os.sync()


@dataclass(frozen=True)
class Ran:
    """`cpu`: processor seconds of every process of the platform, until its end was seen. Other work on the
    machine changes them much less than the time that passes."""

    seconds: float
    cpu: float


def cpu_seconds(root: int) -> float:
    """Processor seconds of a process and all below it so far, those that have ended among them."""
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(folder.name)] = int(fields[1])
        spent[int(folder.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return sum(seconds for pid, seconds in spent.items() if _is_below(pid, root, parents))


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid != root and pid in parents:
        pid = parents[pid]
    return pid == root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def platform(nodes: int = 2, **settings: str) -> Iterator[Platform]:
    """Start everything, wait until it is ready, stop it. `settings`: more of the environment."""
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        env = {**os.environ, **settings, "PORT": str(_free_port()), "DATA_DIR": folder, "NODES": str(nodes)}
        env["INSTALL_CONVERTER"] = "false"
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace.embedded"], env=env, stdout=subprocess.DEVNULL
        )
        try:
            yield _connect(Path(folder), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _connect(folder: Path, process: subprocess.Popen[bytes]) -> Platform:
    end = time.monotonic() + 300  # a busy machine takes its time
    ready = folder / "demo.json"
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the platform did not start")
        time.sleep(0.1)
    demo = json.loads(ready.read_text())
    token = next(user["token"] for user in demo["users"] if user["role"] == "buyer")
    http = httpx.Client(base_url=demo["base_url"], headers={"Authorization": f"Bearer {token}"}, timeout=120)
    return Platform(demo["base_url"], folder, http, process.pid)
