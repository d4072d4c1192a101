"""Small files that say "I am alive", rewritten at least once a second: of workers, nodes and preview servers.

Times are seconds since the epoch by the writer's clock. Machines that share a volume keep their clocks
together (NTP); a difference beyond NODE_TIMEOUT makes a live node look lost.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from jobfolder.layout import BadJobFolder, check_name, read_json, write_json

WorkerState = Literal["starting", "working", "exited"]
_HOST = re.compile(r"[\x21-\x7e]+")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _NEVER


_NEVER = 1e12  # seconds since 1970 that no clock shows
_FITS: dict[str, Callable[[Any], bool]] = {  # by a field's annotation
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "int": lambda value: isinstance(value, int) and _is_number(value),
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "list[str]": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "WorkerState": lambda value: value in get_args(WorkerState),
}


@dataclass(frozen=True)
class Heartbeat:
    """A worker's. `images` counts what it has finished, failed ones included. Once `state` is `exited`,
    `reason` says why: `done` (nothing pending), `stopped`, `terminated`, `released`, or `error: …` (the job
    can't run here)."""

    worker: str
    node: str
    pid: int
    started: float
    time: float
    images: int = 0
    chunk: str | None = None
    image: str | None = None
    image_started: float | None = None
    state: WorkerState = "starting"
    reason: str = ""
    isolation: list[str] = field(default_factory=list)  # which measures hold: "landlock:7", "seccomp", …
    # How it came to its work: the process began, had imported everything, (`started`: was locked in,) and had
    # its first chunk.
    born: float | None = None
    imported: float | None = None
    claimed: float | None = None

    def age(self, now: float) -> float:
        return now - self.time


@dataclass(frozen=True)
class NodeHeartbeat:
    """A node worker's. `speed` is megapixels a second in its start-up measurement."""

    node: str
    engine: str
    slots: int
    speed: float
    cores: str
    pid: int
    started: float
    time: float
    running: list[str] = field(default_factory=list)  # workers in its slots now
    libraries: list[str] = field(default_factory=list)  # optional ones of the system that it found

    def age(self, now: float) -> float:
        return now - self.time


@dataclass(frozen=True)
class EndpointHeartbeat:
    """A preview server's. Several may share a node: `name` tells them apart, and is the file's; left out,
    it is the node's. `family`: the only processors that it offers; left out, it offers all."""

    node: str
    url: str
    slots: int
    pid: int
    started: float
    time: float
    name: str = ""
    family: str = ""

    @property
    def key(self) -> str:
        return self.name or self.node

    def offers(self, family: str) -> bool:
        return self.family in ("", family)

    def age(self, now: float) -> float:
        return now - self.time


_Beat = TypeVar("_Beat", Heartbeat, NodeHeartbeat, EndpointHeartbeat)


def write_worker(job_dir: Path, beat: Heartbeat) -> None:
    """Raises FileNotFoundError when the job's folder is gone."""
    write_json(job_dir / "workers" / f"{check_name(beat.worker)}.json", asdict(beat))


def read_worker(job_dir: Path, worker: str) -> Heartbeat | None:
    return _read(job_dir / "workers" / f"{check_name(worker)}.json", Heartbeat)


def read_workers(job_dir: Path) -> list[Heartbeat]:
    return list(_read_all(job_dir / "workers", Heartbeat))


def write_node(data_dir: Path, beat: NodeHeartbeat) -> None:
    _write(data_dir / "nodes", beat)


def read_nodes(data_dir: Path) -> list[NodeHeartbeat]:
    """Every node that has ever written here; how old a heartbeat may be is the caller's to decide."""
    return list(_read_all(data_dir / "nodes", NodeHeartbeat))


def write_endpoint(data_dir: Path, beat: EndpointHeartbeat) -> None:
    _write(data_dir / "endpoints", beat)


def read_endpoints(data_dir: Path) -> list[EndpointHeartbeat]:
    return list(_read_all(data_dir / "endpoints", EndpointHeartbeat))


def remove_node(data_dir: Path, node: str, pid: int) -> None:
    """Take a node's heartbeat away, unless another process has taken over the name."""
    _remove(data_dir / "nodes" / f"{check_name(node)}.json", NodeHeartbeat, pid)


def remove_endpoint(data_dir: Path, name: str, pid: int) -> None:
    _remove(data_dir / "endpoints" / f"{check_name(name)}.json", EndpointHeartbeat, pid)


def sweep_endpoints(data_dir: Path, before: float) -> list[str]:
    """Forget preview servers of which nothing was heard since `before`, if their name is their own: pods get
    a new name each, nodes come back. Their locks go, too. The names."""
    gone = []
    for beat in read_endpoints(data_dir):
        if beat.time < before and beat.key != beat.node:
            for ending in ("json", "lock"):
                with suppress(FileNotFoundError):
                    (data_dir / "endpoints" / f"{check_name(beat.key)}.{ending}").unlink()
            gone.append(beat.key)
    return gone


def _write(folder: Path, beat: NodeHeartbeat | EndpointHeartbeat) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{check_name(_name(beat))}.json", asdict(beat))


def _remove(path: Path, kind: type[_Beat], pid: int) -> None:
    beat = _read(path, kind)
    if beat is not None and beat.pid == pid:
        with suppress(FileNotFoundError):
            path.unlink()


def _read_all(folder: Path, kind: type[_Beat]) -> Iterator[_Beat]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(".json") and not name.startswith("."):
            beat = _read(f"{os.fspath(folder)}/{name}", kind)
            if beat is not None:
                yield beat


def _read(path: str | Path, kind: type[_Beat]) -> _Beat | None:
    """None for a file that is missing or makes no sense: a heartbeat that can't be read is no heartbeat."""
    try:
        beat = _build(kind, read_json(path))
    except (FileNotFoundError, BadJobFolder, TypeError, ValueError):
        return None
    return beat if os.fspath(path).endswith(f"/{_name(beat)}.json") else None


def _name(beat: Heartbeat | NodeHeartbeat | EndpointHeartbeat) -> str:
    """What the file is called."""
    if isinstance(beat, Heartbeat):
        return beat.worker
    return beat.key if isinstance(beat, EndpointHeartbeat) else beat.node


# What each field must be, by its name.
_CHECKS: dict[str, dict[str, Callable[[Any], bool]]] = {
    kind.__name__: {one.name: _FITS[str(one.type)] for one in fields(kind)}
    for kind in (Heartbeat, NodeHeartbeat, EndpointHeartbeat)
}


def _build(kind: type[_Beat], value: Mapping[str, Any]) -> _Beat:
    """Unknown keys are left out, so that nodes of a newer version can be read. What has the wrong type is no
    heartbeat: workers handle strangers' files, and their word must not stop the controller."""
    checks = _CHECKS[kind.__name__]
    beat = kind(**{key: item for key, item in value.items() if key in checks})
    for name, fits in checks.items():
        if not fits(getattr(beat, name)):
            raise ValueError(name)
    if isinstance(beat, EndpointHeartbeat) and not _HOST.fullmatch(beat.url):
        raise ValueError("url")
    return beat
