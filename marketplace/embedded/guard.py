"""Kills every process group it was told of when its standard input ends: standard library only.

The supervisor holds the other end of the pipe. However it dies, the pipe ends. Lines: `+PGID` when a group
starts (written by launch.py), `-PGID` when it has ended.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        (groups.add if sign == "+" else groups.discard)(group)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


main()
