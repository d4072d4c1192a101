"""Landlock: a process takes from itself the right to touch files outside of named folders, for good.

The kernel's API by version (docs.kernel.org, userspace-api/landlock): 1 files, 2 renames across folders, 3
truncation, 4 TCP, 5 device ioctls, 6 abstract sockets and signals.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _REMOVE_FILE, _MAKE_REG, _REFER, _TRUNCATE = 1 << 1, 1 << 5, 1 << 8, 1 << 13, 1 << 14
_READ = _READ_FILE | _READ_DIR
_FOLDERS = 1 << 4 | 1 << 7  # make and remove
# Nothing else can be made: no symbolic links, devices or sockets.
_WRITE = _READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _REFER | _TRUNCATE | _FOLDERS
_ON_FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE
_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 0b11  # bind and connect
_CONNECT_TCP = 0b10
_SCOPES = 0b11  # abstract sockets and signals: only within this process


def version() -> int:
    """Of the kernel's Landlock; 0 when it has none."""
    return max(0, _call(_CREATE, None, 0, _VERSION_FLAG, strict=False))


def restrict(read: Iterable[Path], write: Iterable[Path], *, network: bool) -> int:
    """Only files beneath `read` and `write` from now on, and no TCP (with `network`: no outgoing TCP).
    Folders that are missing are left out. Returns the version in force. Needs no_new_privs. Raises
    OSError."""
    known = version()
    if not known:
        raise OSError("the kernel has no Landlock")
    files = _BY_VERSION[min(known, max(_BY_VERSION))]
    net = (_CONNECT_TCP if network else _TCP) if known >= 4 else 0
    attributes = struct.pack("=QQQ", files, net, _SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    ruleset = _call(_CREATE, ctypes.c_char_p(attributes), size, 0)
    try:
        for path in read:
            _allow(ruleset, path, _READ & files)
        for path in write:
            _allow(ruleset, path, _WRITE & files)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights &= -1 if path.is_dir() else _ON_FILES
            rule = struct.pack("=Qi", rights, opened)
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
        finally:
            os.close(opened)


def _call(number: int, *arguments: object, strict: bool = True) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *wide))
    if result < 0 and strict:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
