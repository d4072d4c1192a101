"""What `make run` can be told, all by environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from marketplace import env, sandbox_gate

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    data_dir: Path
    nodes: int
    web_workers: int
    web_threads: int
    base_url: str
    demo: bool
    install_converter: bool = False
    converter_python: str = ""
    allowed_hosts: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Nobody on another machine can reach it: by its address, by its names, or through a proxy that has
        an address of its own."""
        public = urlsplit(self.base_url).hostname if self.base_url else "localhost"
        names = [self.host, public or "", *self.allowed_hosts]
        return all(sandbox_gate.is_local(name) for name in names)

    @property
    def url(self) -> str:
        """Where a program on this machine reaches the web process."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def read() -> Options:
    return Options(
        host=env.text("HOST") or "127.0.0.1",
        port=env.integer("PORT", 8000, low=1, high=65535),
        data_dir=Path(env.text("DATA_DIR") or ROOT / "var").resolve(),
        nodes=env.integer("NODES", 2, low=1, high=64),
        web_workers=env.integer("WEB_WORKERS", 2, low=1, high=64),
        web_threads=env.integer("WEB_THREADS", 24, low=2, high=512),
        base_url=env.text("BASE_URL"),
        demo=env.flag("DEMO", default=True),
        install_converter=env.flag("INSTALL_CONVERTER", default=True),
        converter_python=env.text("CONVERTER_PYTHON"),
        allowed_hosts=tuple(env.items("ALLOWED_HOSTS")),
    )


def cores_of(nodes: int, available: list[int] | None = None) -> list[list[int]]:
    """Which cores each node has: as even a share as there is, all of them where there are too few."""
    cores = sorted(os.sched_getaffinity(0)) if available is None else available
    if len(cores) < nodes:
        return [cores] * nodes
    edges = [len(cores) * node // nodes for node in range(nodes + 1)]
    return [cores[start:end] for start, end in pairwise(edges)]
