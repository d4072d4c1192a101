"""How much memory this process may take, and whether the kernel has ended one of the container's for it."""

from __future__ import annotations

import os
import resource
from pathlib import Path

UNLIMITED = 4 << 30  # bytes beyond what is mapped, where nobody has said how much there is
LEAST = 64 << 20  # a worker that has less can't do anything, and says so of every photo
_EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


def address_space() -> int:
    """For RLIMIT_AS, in bytes: what is mapped now and what may come to it.

    WORKER_MEMORY says how much memory the worker may take in all; what it has already is taken off. Mapped
    memory is counted, used or not, so a photo is refused rather a little too early than too late.
    """
    page = resource.getpagesize()
    mapped, resident = (int(text) * page for text in Path("/proc/self/statm").read_text().split()[:2])
    total = os.environ.get("WORKER_MEMORY", "")
    more = max(LEAST, int(total) - resident) if total.isdigit() and int(total) else UNLIMITED
    return mapped + more


def ooms() -> int:
    """Processes of this container that the kernel has ended for want of memory so far (cgroup version 2 or
    1); 0 where it doesn't say."""
    for path in _EVENTS:
        try:
            words = path.read_text().split()
            return int(words[words.index("oom_kill") + 1])
        except (OSError, ValueError, IndexError):
            continue
    return 0
