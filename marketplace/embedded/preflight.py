"""What can be known to be wrong before anything starts. Each refusal is one line that says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from pathlib import Path
from typing import TextIO

NEEDED = 300_000_000  # bytes: a database, demo photos, the append-only file, room for a first job


class Refused(Exception):
    """The platform can't start; the message is the one line to show."""


def check_folder(data_dir: Path) -> None:
    """It is there, or can be made, and can be written to."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        probe = data_dir / ".writable"
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(data_dir, 0) from error
        raise Refused(
            f"DATA_DIR {data_dir} can't be written to ({error.strerror}): "
            "change its owner, or set DATA_DIR to a folder of yours."
        ) from error


def check_space(data_dir: Path, needed: int = NEEDED) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < needed:
        raise _full(data_dir, free, needed)


def _full(data_dir: Path, free: int, needed: int = NEEDED) -> Refused:
    return Refused(
        f"The disk of DATA_DIR {data_dir} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed: "
        "free some, or set DATA_DIR to another disk."
    )


def check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Refused(
                    f"Port {port} is taken by another program: stop it, or choose another one, "
                    f"for example PORT={port + 1 if port < 65535 else 8000} make run."
                ) from error
            raise Refused(
                f"HOST {host} PORT {port} can't be used ({error.strerror}): choose others."
            ) from error


def lock(data_dir: Path) -> TextIO:
    """Held as long as the returned file is open: one platform to a DATA_DIR."""
    file = (data_dir / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Refused(
            f"A platform is running on {data_dir} already (process {holder}): "
            "stop it, or set DATA_DIR to another folder."
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def redis_server(bin_dir: Path) -> Path:
    """The system's redis-server, or the one that the `embedded` extra brings along."""
    found = shutil.which("redis-server") or shutil.which("redis-server", path=str(bin_dir))
    if not found:
        raise Refused(
            "No redis-server was found: install it (apt-get install redis-server), "
            "or set REDIS_URL to one that runs elsewhere."
        )
    return Path(found)
