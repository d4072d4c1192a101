"""A node's presence: a lock on its name, and a heartbeat at least once a second."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobfolder import NodeHeartbeat, remove_node, write_node

EVERY = 0.5

log = logging.getLogger(__name__)


class NameTaken(Exception):
    """Another process on this volume has the node's name."""


def take_name(data_dir: Path, node: str) -> int:
    """The lock of this name, held until the process ends. Raises NameTaken."""
    folder = data_dir / "nodes"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / f"{node}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise NameTaken(f"a node called {node} is running already; set NODE_NAME to another name") from None
    return lock


class NodeBeat:
    """Writes `nodes/<node>.json` from a thread; `running` is asked each time."""

    def __init__(self, data_dir: Path, beat: NodeHeartbeat, running: Callable[[], list[str]]) -> None:
        self._data_dir = data_dir
        self._beat = beat
        self._running = running
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._write()
        self._thread.start()

    def stop(self) -> None:
        """Take the heartbeat away: the node left in order, and nobody need wait to find out."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        remove_node(self._data_dir, self._beat.node, self._beat.pid)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._write()

    def _write(self) -> None:
        """Whatever goes wrong (a full disk, a volume that is away for a moment), the next beat is tried."""
        try:
            write_node(self._data_dir, replace(self._beat, time=time.time(), running=self._running()))
        except Exception as error:
            log.warning("heartbeat of node %s not written: %s", self._beat.node, error)
