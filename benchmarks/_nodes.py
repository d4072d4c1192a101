"""Node workers with CPU limits, a Redis and a database of their own: a cluster for one benchmark.

No web process and no controller runs here: the replay dispatches by itself. Each node is
`python -m model_images.runtime node`, as `make run` starts it, in a control group.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jobfolder
from benchmarks._cgroups import Group, entering, open_group
from benchmarks._common import django_in_process
from marketplace.embedded.preflight import redis_server

ROOT = Path(__file__).resolve().parent.parent
_READY = 90.0  # seconds for a node to start, at a small part of a core


@dataclass
class Nodes:
    """Starts, kills and stops node workers. `cpus` by name."""

    data_dir: Path
    broker: str
    cpus: Mapping[str, float]
    slots: int
    group: Group
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)

    def start(self, name: str) -> None:
        self.started[name] = time.time()
        procs = self.group.limit(name, self.cpus[name] * self.slots)
        keep = ("PATH", "HOME", "LANG", "TMPDIR")
        env = {key: os.environ[key] for key in keep if key in os.environ} | {
            "DATA_DIR": str(self.data_dir),
            "BROKER_URL": self.broker,
            "NODE_NAME": name,
            "NODE_SLOTS": str(self.slots),
            "LOG_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",
        }
        command = entering(procs, [sys.executable, "-m", "model_images.runtime", "node"])
        with (self.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """As a power cut does: the process group gets SIGKILL; its batches die with their node."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart_missing(self) -> None:
        for name in self.cpus:
            if name not in self.processes:
                self.start(name)
        self.wait_ready()

    def wait_ready(self) -> None:
        end = time.monotonic() + _READY
        while missing := set(self.processes) - self._beating():
            for name in missing:
                if self.processes[name].poll() is not None:
                    text = (self.data_dir / f"{name}.log").read_text()[-500:]
                    raise RuntimeError(f"{name} ended at its start: {text}")
            if time.monotonic() > end:
                raise RuntimeError(f"not ready after {_READY:g} s: {', '.join(sorted(missing))}")
            time.sleep(0.1)

    def _beating(self) -> set[str]:
        """Nodes whose heartbeat is of the process that was started last."""
        beats = jobfolder.read_nodes(self.data_dir)
        return {beat.node for beat in beats if beat.started >= self.started.get(beat.node, 0.0)}

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Our own, on a free port of the loopback, with a password. Its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = secrets.token_urlsafe(16)
    config = folder / "redis.conf"
    config.touch(0o600)
    config.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\nsave ""\ndaemonize no\n'
    )
    server = redis_server(Path(sys.executable).parent)
    process = subprocess.Popen([str(server), str(config)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def django_and_redis(folder: Path) -> Iterator[str]:
    """Django in this process, with a migrated database and a Redis of its own; the Redis's URL."""
    with redis(folder) as url:
        os.environ["REDIS_URL"] = url
        with django_in_process():
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            yield url


@contextmanager
def limited(data_dir: Path, broker: str, cpus: Mapping[str, float], slots: int) -> Iterator[Nodes]:
    """Nodes that are ready, each with that many cores a slot. Raises NoLimits before anything starts."""
    group = open_group()
    nodes = Nodes(data_dir, broker, cpus, slots, group)
    try:
        for name in cpus:
            nodes.start(name)
        nodes.wait_ready()
        yield nodes
    finally:
        nodes.stop()
        for name in cpus:
            (data_dir / "nodes" / f"{name}.json").unlink(missing_ok=True)
        group.remove()
