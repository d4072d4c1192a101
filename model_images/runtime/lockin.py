"""What a process that decodes strangers' files does to itself first: it gives up every right it doesn't need.

Each measure holds or doesn't, by what the kernel offers; `enter` says which do, and the worker's heartbeat
repeats it. None can be taken back. What they are for: docs/architecture/03-runtime.md, "Isolation".
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_images.runtime import bpf, landlock, memory

FILE_SIZE = 1 << 30
OPEN_FILES = 256

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 1, 38, 4
# Shared libraries, fonts, time zones. Not /usr as a whole: a service may keep its data in /usr/src or
# /usr/local.
_SYSTEM = tuple(
    Path(p)
    for p in (
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/dev/urandom",
        "/dev/null",
    )
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Box:
    """The folders a process may read, those it may write too, and whether it serves the network (it can't
    open connections in either case)."""

    read: tuple[Path, ...]
    write: tuple[Path, ...]
    network: bool = False


def enter(box: Box) -> list[str]:
    """Lock this process in. Call it before other threads run. Returns the measures that hold."""
    held = []
    for name, measure in _measures(box):
        try:
            detail = measure()
        except (OSError, ValueError, bpf.Unsupported) as error:
            log.warning("%s can't be had here: %s", name, error)
        else:
            held.append(f"{name}:{detail}" if detail else name)
    return held


def die_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def _measures(box: Box) -> list[tuple[str, Callable[[], object]]]:
    return [
        ("rlimits", _limit),
        ("no_new_privs", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("undumpable", lambda: _prctl(_PR_SET_DUMPABLE, 0)),
        (
            "landlock",
            lambda: landlock.restrict((*_SYSTEM, *_python(), *box.read), box.write, network=box.network),
        ),
        ("seccomp", lambda: bpf.install(network=box.network)),
    ]


def _python() -> list[Path]:
    """The standard library and installed packages, for modules that are imported late."""
    installed = [Path(p) for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    return [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")] + installed


def _limit() -> None:
    wanted = {
        resource.RLIMIT_AS: memory.address_space(),
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in wanted.items():
        _, most = resource.getrlimit(which)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(which, (value, value))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
