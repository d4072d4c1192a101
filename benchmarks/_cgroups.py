"""CPU limits for processes by control groups: version 1 (`cpu.cfs_quota_us`) or version 2 (`cpu.max`).

Unequal nodes on one machine: a node that gets 0.25 of a core is a quarter as fast as one that gets a whole.
The period is short, so that a node is slow rather than now and then asleep.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PERIOD_US = 10_000
LEAST_QUOTA_US = 1_000  # the kernel takes no less: a smaller part of a core gets a longer period
_SHARES, _WEIGHT = 20_000, 2_000  # against everything else on the machine: nodes get what they are promised


class NoLimits(Exception):
    """This machine or this account can't limit processes; the message says what is needed."""


class Group:
    """A control group with one below it for each node. Remove it when its processes have ended."""

    def __init__(self, root: Path, version: int) -> None:
        self.version = version
        self._path = root / f"pixelyard-benchmark-{os.getpid()}"
        try:
            self._path.mkdir()
            if version == 1:
                (self._path / "cpu.shares").write_text(str(_SHARES))
            else:
                (self._path / "cpu.weight").write_text(str(_WEIGHT))
                (self._path / "cgroup.subtree_control").write_text("+cpu")
        except OSError as error:
            with suppress(OSError):
                self._path.rmdir()
            raise NoLimits(_refusal(f"{self._path}: {error.strerror}")) from error

    def limit(self, name: str, cpus: float) -> Path:
        """A group of that many cores; returns where to write the numbers of processes that belong to it."""
        path = self._path / name
        path.mkdir(exist_ok=True)
        period = max(PERIOD_US, round(LEAST_QUOTA_US / cpus))
        quota = round(cpus * period)
        if self.version == 1:
            (path / "cpu.cfs_period_us").write_text(str(period))
            (path / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (path / "cpu.max").write_text(f"{quota} {period}")
        return path / "cgroup.procs"

    def remove(self) -> None:
        """Groups whose processes are still ending are waited for, some seconds."""
        end = time.monotonic() + 5
        for path in [*(child for child in self._path.iterdir() if child.is_dir()), self._path]:
            while True:
                try:
                    path.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    if time.monotonic() > end:
                        return
                    time.sleep(0.05)


def open_group(mounts: str | None = None) -> Group:
    """Raises NoLimits. `mounts`: the text of /proc/mounts."""
    text = Path("/proc/mounts").read_text() if mounts is None else mounts
    fields = [line.split() for line in text.splitlines()]
    for _, path, kind, options, *_ in fields:
        if kind == "cgroup" and "cpu" in options.split(","):
            return Group(Path(path), 1)
    for _, path, kind, *_ in fields:
        if kind == "cgroup2":
            root = Path(path)
            with suppress(OSError):
                if "cpu" in (root / "cgroup.controllers").read_text().split():
                    (root / "cgroup.subtree_control").write_text("+cpu")
                    return Group(root, 2)
    raise NoLimits(_refusal("no control group with a cpu controller that can be used is mounted"))


def entering(procs: Path, command: Sequence[str]) -> list[str]:
    """The command, run inside the group from its first instruction on."""
    return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(procs), *command]


def _refusal(why: str) -> str:
    return (
        f"Nodes of unequal speed need CPU limits, and they can't be set here ({why}). Run as root on Linux "
        "with control groups, give nodes of their own machines, or use --engine simulator."
    )
