"""A whole platform on a temporary DATA_DIR, for tests that need the real thing.

`platform` is one for the whole session. A test that wants one of its own uses `Platform` itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobfolder import read_workers
from tests.api_client import Api, wait_until

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120


@dataclass(frozen=True)
class Login:
    role: str
    email: str
    password: str
    token: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Platform:
    """`python -m marketplace.embedded`, started and stopped. Its output is in `output()`."""

    def __init__(self, data_dir: Path, port: int | None = None, nodes: int = 2, **env: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **{name: value for name, value in os.environ.items() if name not in {"DEBUG", "REDIS_URL"}},
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "NODES": str(nodes),
            "INSTALL_CONVERTER": "false",
            **env,
        }
        self._log = data_dir.with_name(f"{data_dir.name}.out")
        self._apis: dict[str, Api] = {}
        self.process: subprocess.Popen[bytes] | None = None

    # --- Running ----------------------------------------------------------------------------------

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it and don't wait."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "marketplace.embedded"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Platform:
        """Start it and wait until it says that it is ready."""
        process = self.launch()
        end = time.monotonic() + START_SECONDS
        while not (self.data_dir / "demo.json").exists():
            if process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"the platform did not start:\n{self.output()}")
            time.sleep(0.1)
        return self

    def stop(self) -> int:
        """As Ctrl-C does. The exit status."""
        assert self.process is not None
        while self._apis:
            self._apis.popitem()[1].http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    # --- Its people ---------------------------------------------------------------------------------

    @property
    def users(self) -> dict[str, Login]:
        """By role: buyer, seller, admin."""
        users = json.loads((self.data_dir / "demo.json").read_text())["users"]
        return {user["role"]: Login(**user) for user in users}

    def api(self, role: str = "buyer") -> Api:
        """Closed when the platform stops."""
        if role not in self._apis:
            self._apis[role] = Api(self.base_url, self.users[role].token)
        return self._apis[role]

    # --- Its processes ------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """Of a service: web, worker, controller, redis, node-1, preview-1, … Waits while it is restarted."""
        return int(wait_until(lambda: self._running().get(name), 30, f"{name} does not run"))

    def _running(self) -> dict[str, int]:
        pids: dict[str, int] = json.loads((self.data_dir / "run" / "pids.json").read_text())
        return pids

    def pids(self, name: str) -> list[int]:
        """The service's process first, then those it started. "batch": the processes that work through
        job folders right now."""
        if name == "batch":
            return self._batches()
        main = self.pid(name)
        return [main, *sorted(_below(main))]

    def family(self) -> set[int]:
        """The supervisor and everything that it has started, at any depth."""
        assert self.process is not None
        return {self.process.pid, *_below(self.process.pid)}

    def kill(self, name: str) -> list[int]:
        """kill -9 of the service's process (or of every batch). What was killed."""
        victims = self._batches() if name == "batch" else [self.pid(name)]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        return victims

    def _batches(self) -> list[int]:
        now = time.time()
        beats = [
            beat
            for folder in (self.data_dir / "jobs").glob("*")
            for beat in read_workers(folder)
            if beat.state != "exited" and beat.age(now) < 3
        ]
        return [beat.pid for beat in beats if Path(f"/proc/{beat.pid}").exists()]


def _parents() -> dict[int, int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    return parents


def _below(pid: int) -> set[int]:
    parents = _parents()
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= layer
    return found


def leftovers(data_dir: Path) -> list[str]:
    """Command lines of living processes that have to do with the data folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data_dir).encode() in words and folder.name != str(os.getpid()) and command:
            found.append(f"{folder.name} {command}")
    return found


def wait_for_none_left(data_dir: Path, seconds: float = 5) -> None:
    wait_until(lambda: not leftovers(data_dir), seconds, f"processes left: {leftovers(data_dir)}")


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """Two nodes and the demo people. On failure its log is in the test's output."""
    folder = Path(tempfile.mkdtemp(prefix="pixelyard-platform-"))
    site = Platform(folder / "data").start()
    yield site
    site.stop()
    sys.stdout.write(site.output()[-20_000:])
    shutil.rmtree(folder, ignore_errors=True)
