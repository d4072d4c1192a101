"""Whether test money may exist here. Standard library only: settings ask before Django is there.

`make run` opens the gate when only this machine can reach it: it writes a random text to a private file below
DATA_DIR and hands the same text to its own processes. The gate counts as open while both are equal and the
supervisor that wrote them holds the lock on DATA_DIR. So a copied environment, a copied folder or a setting
typed by mistake opens nothing, and it ends with the supervisor.
"""

from __future__ import annotations

import fcntl
import hmac
import ipaddress
import secrets
from pathlib import Path

_LOCAL_NAMES = frozenset({"localhost"})


def _file(data_dir: Path) -> Path:
    return data_dir / "run" / "sandbox"


def open_it(data_dir: Path) -> str:
    """A new text for this run, also in the file that `is_open` compares with."""
    from marketplace.embedded.keep import write_private

    text = secrets.token_urlsafe(24)
    write_private(_file(data_dir), text + "\n")
    return text


def close(data_dir: Path) -> None:
    _file(data_dir).unlink(missing_ok=True)


def is_open(data_dir: Path, text: str) -> bool:
    if not text:
        return False
    try:
        kept = _file(data_dir).read_text().strip()
    except OSError:
        return False
    return hmac.compare_digest(kept.encode(), text.encode()) and _is_supervised(data_dir)


def _is_supervised(data_dir: Path) -> bool:
    """A living `make run` holds the lock."""
    try:
        with (data_dir / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def is_local(host: str) -> bool:
    """A name or address under which only this machine is reached."""
    name = host.strip("[]")
    try:
        return name in _LOCAL_NAMES or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
