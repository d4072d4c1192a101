"""Runs between fork and the real command, as a script of its own: standard library only.

    launch.py SUPERVISOR_PID GUARD_FD COMMAND...

Asks the kernel to kill this process when the supervisor dies, tells the guard about the process group, and
becomes the command. (Popen's preexec_fn could do it too, but Python code between fork and exec is not safe.)
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def main() -> None:
    supervisor, guard, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        sys.exit("the supervisor is gone")
    with suppress(BrokenPipeError):
        os.write(guard, f"+{os.getpid()}\n".encode())
    os.close(guard)
    try:
        os.execvp(command[0], command)  # noqa: S606 - that is what this is for
    except OSError as error:
        sys.exit(f"{command[0]} can't be started: {error.strerror}")


main()
