"""One process a name: a lock that the kernel drops when the process dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class NameTaken(Exception):
    """Another process on this volume has the name."""


def take_name(folder: Path, node: str) -> int:
    """The lock of `node` in `folder`, held until the process ends. Raises NameTaken."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / f"{node}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise NameTaken(f"a node called {node} is running already; set NODE_NAME to another name") from None
    return lock


def drop_name(folder: Path, name: str, lock: int) -> None:
    """Give up a name that nobody will have again, and leave no file of it."""
    with suppress(OSError):
        (folder / f"{name}.lock").unlink()
    os.close(lock)
