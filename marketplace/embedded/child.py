"""A service and the process that it is now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from marketplace.embedded.log import Lines

LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Service:
    """`env` is all that its process gets to see."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    stop_signal: int = signal.SIGTERM


class Child:
    """One life of a service. Its output comes out of `pipe`, which does not block."""

    def __init__(self, service: Service, guard: int, cwd: Path) -> None:
        self.service = service
        self.lines = Lines()
        self._process = subprocess.Popen(  # noqa: S603 - a list of arguments of our own, no shell
            [sys.executable, "-S", "-E", str(LAUNCH), str(os.getpid()), str(guard), *service.command],
            env=dict(service.env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[guard],
        )
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        self.pipe = self._process.stdout
        os.set_blocking(self.pipe.fileno(), False)

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    def read(self) -> list[str] | None:
        """Lines that have come; None at the end of the output."""
        try:
            data = os.read(self.pipe.fileno(), 65536)
        except BlockingIOError:
            return []
        return self.lines.feed(data) if data else None

    def ended(self) -> bool:
        """It has exited; not reaped yet, so its number belongs to nobody else."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def signal(self, number: int) -> None:
        """To the process alone: what it started, it should end itself."""
        if not self.ended():
            os.kill(self.pid, number)

    def bury(self) -> int:
        """Kill what is left of the group, then reap. The exit status, negative for a signal."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def close(self) -> list[str]:
        """The last lines, without waiting for a grandchild that holds the pipe open."""
        last = []
        while True:
            lines = self.read()
            if not lines:
                break
            last += lines
        self.pipe.close()
        return last + self.lines.end()


def describe(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exited with {status}"
