"""What is made at the first start and kept: secrets and port numbers, below DATA_DIR."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Collection
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Readable by its owner alone from the first moment on, and complete or absent."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def secret(data_dir: Path, name: str, length: int = 48) -> str:
    """The kept random text of that name; made if there is none yet."""
    path = data_dir / "secrets" / name
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        kept = ""
    if not kept:
        kept = secrets.token_urlsafe(length)
        write_private(path, kept + "\n")
    return kept


def port(data_dir: Path, name: str, avoid: Collection[int] = ()) -> int:
    """The port kept for `name` if it is still free, else a free one, kept from now on."""
    path = data_dir / "run" / "ports.json"
    try:
        ports = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        ports = {}
    kept = ports.get(name)
    if isinstance(kept, int) and kept not in avoid and _is_free(kept):
        return kept
    chosen = _free_port(avoid)
    write_private(path, json.dumps(ports | {name: chosen}))
    return chosen


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


def _free_port(avoid: Collection[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number: int = probe.getsockname()[1]
        if number not in avoid:
            return number
