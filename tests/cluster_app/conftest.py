"""A real redis-server on a free port, and heartbeats as nodes and preview servers write them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

import jobfolder
from apps.cluster import endpoints, inflight


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def counts(counter: inflight.InFlight, names: list[str]) -> dict[str, int]:
    """How many previews each has in hand. Looking takes a turn."""
    return counter.look(names)[0]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = shutil.which("redis-server") or str(Path(sys.executable).with_name("redis-server"))
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([binary, *arguments], cwd=folder, stdout=log, stderr=log)
    client = redis.Redis(port=port)
    end = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.01)
    yield f"redis://127.0.0.1:{port}/0"
    client.close()
    server.terminate()
    server.wait(5)


@pytest.fixture
def empty_redis(redis_url: str) -> Iterator[str]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    yield redis_url


@pytest.fixture(autouse=True)
def _fresh_process_state() -> Iterator[None]:
    """What a web process keeps between requests does not outlive a test."""
    yield
    if connections := endpoints.connections.forget():
        connections.close()
    endpoints.directory.forget()
    inflight.get_counter.forget()


@pytest.fixture
def beat(settings) -> Callable[..., jobfolder.NodeHeartbeat]:
    """Write a node's heartbeat: `beat("node-1", running=["w"], age=3)`."""

    def write(name: str, *, age: float = 0.0, **fields) -> jobfolder.NodeHeartbeat:
        now = time.time()
        values = {
            "engine": "celery",
            "slots": 1,
            "speed": 100.0,
            "cores": "0",
            "pid": 4711,
            "started": now - 60,
            "time": now - age,
        }
        one = jobfolder.NodeHeartbeat(node=name, **(values | fields))
        jobfolder.write_node(settings.DATA_DIR, one)
        return one

    return write
