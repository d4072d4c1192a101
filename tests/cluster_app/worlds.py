"""Where the engine contract is played out: in memory, with real processes and a real Redis, and on a
Kubernetes API in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from django.conf import settings

import jobfolder
from apps.cluster.engines import Engine
from apps.cluster.engines.celery import CeleryEngine
from apps.cluster.engines.fake import FakeEngine
from apps.cluster.engines.kubernetes import KubernetesEngine
from jobfolder import Heartbeat
from tests.api_client import wait_until
from tests.cluster_app.fake_cluster import FakeCluster

ROOT = Path(__file__).resolve().parents[2]


class World(Protocol):
    """An engine, and hands to make things happen to its nodes and workers."""

    engine: Engine

    def start_node(self, name: str) -> None: ...

    def kill_node(self, name: str) -> None: ...

    def let_start(self, job: str, worker: str) -> None:
        """See to it that the worker runs, as it would by itself."""
        ...

    def let_end(self, job: str, worker: str, reason: str) -> None: ...

    def let_vanish(self, job: str, worker: str) -> None: ...

    def starts(self, job: str) -> list[str]:
        """Workers in the order in which they were started."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self.engine = FakeEngine()
        self._started: list[str] = []

    def start_node(self, name: str) -> None:
        self.engine.add_node(name, slots=2)

    def kill_node(self, name: str) -> None:
        self.engine.remove_node(name)

    def let_start(self, job: str, worker: str) -> None:
        self.engine.start(worker)
        self._started.append(worker)

    def let_end(self, job: str, worker: str, reason: str) -> None:
        self.engine.exit(worker, reason)

    def let_vanish(self, job: str, worker: str) -> None:
        self.engine.lose(worker)

    def starts(self, job: str) -> list[str]:
        return self._started


class CeleryWorld:
    """Node workers are processes of `stub_node`."""

    def __init__(self, data_dir: Path, broker_url: str) -> None:
        self.engine = CeleryEngine()
        self._data_dir = data_dir
        self._environment = {**os.environ, "BROKER_URL": broker_url, "DATA_DIR": str(data_dir)}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def start_node(self, name: str) -> None:
        if name in self._nodes:
            return
        command = [sys.executable, "-W", "ignore", "-m", "tests.cluster_app.stub_node"]
        environment = {**self._environment, "NODE_NAME": name}
        log = (self._data_dir / f"{name}.log").open("wb")
        with log:
            self._nodes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        alive = self._data_dir / "nodes" / f"{name}.json"
        wait_until(alive.exists, 30, f"{name} to report", pause=0.01)

    def kill_node(self, name: str) -> None:
        process = self._nodes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def let_start(self, job: str, worker: str) -> None:
        folder = jobfolder.job_dir(self._data_dir, job)
        started = lambda: jobfolder.read_worker(folder, worker)  # noqa: E731
        wait_until(started, 30, f"{worker} to start", pause=0.01)

    def let_end(self, job: str, worker: str, reason: str) -> None:
        (jobfolder.job_dir(self._data_dir, job) / f"end-{worker}").write_text(reason)

    def let_vanish(self, job: str, worker: str) -> None:
        self.let_end(job, worker, "vanish")

    def starts(self, job: str) -> list[str]:
        return (jobfolder.job_dir(self._data_dir, job) / "starts").read_text().split()

    def close(self) -> None:
        for name in list(self._nodes):
            self.kill_node(name)


class KubernetesWorld:
    """Pods are entries of a cluster in memory; their heartbeats are written by a thread until they end."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.engine = KubernetesEngine(self.cluster, threads=False)
        self._beats: dict[tuple[str, str], Heartbeat] = {}
        self._started: list[str] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def start_node(self, name: str) -> None:
        self.cluster.add_node(name, cpu="2", memory="8Gi")

    def kill_node(self, name: str) -> None:
        self.cluster.lose_node(name)
        with self._lock:
            self._beats = {key: beat for key, beat in self._beats.items() if beat.node != name}

    def let_start(self, job: str, worker: str) -> None:
        self.cluster.run(worker)
        node = self.cluster.pod_of(worker)["spec"]["nodeName"]
        now = time.time()
        with self._lock:
            self._beats[job, worker] = Heartbeat(worker, node, 1, now, now, state="working")
            self._write()
        self._started.append(worker)

    def let_end(self, job: str, worker: str, reason: str) -> None:
        with self._lock:
            beat = self._beats.pop((job, worker))
        told = replace(beat, time=time.time(), state="exited", reason=f"error: {reason}")
        jobfolder.write_worker(self._folder(job), told)
        self.cluster.end(worker, exit_code=1)

    def let_vanish(self, job: str, worker: str) -> None:
        with self._lock:
            del self._beats[job, worker]
        self.cluster.end(worker, exit_code=137)

    def starts(self, job: str) -> list[str]:
        return self._started

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._closed.wait(0.05):
            with self._lock:
                self._write()

    def _write(self) -> None:
        """As workers do: a stop that is asked for ends them."""
        for (job, worker), beat in list(self._beats.items()):
            stopped = jobfolder.stop_requested(self._folder(job))
            if stopped:
                del self._beats[job, worker]
            changes = {"state": "exited", "reason": "stopped"} if stopped else {}
            try:
                jobfolder.write_worker(self._folder(job), replace(beat, time=time.time(), **changes))
            except FileNotFoundError:
                self._beats.pop((job, worker), None)

    def _folder(self, job: str) -> Path:
        return jobfolder.job_dir(Path(settings.DATA_DIR), job)
