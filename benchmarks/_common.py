"""What the benchmarks share: side-by-side timing, medians and ratios, and words for the machine."""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "opencv-python-headless", "simplejpeg", "pillow")


@contextmanager
def django_in_process() -> Iterator[None]:
    """Django, set up in this process on a data folder of its own, which goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        os.environ.update(DEBUG="true", DATA_DIR=folder, DJANGO_SETTINGS_MODULE="marketplace.settings")
        (Path(folder) / "static").mkdir()
        import django

        django.setup()
        yield


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each contender in each round by `clock`, after one round that isn't counted.

    A round calls every contender once, starting with another one each time, so that a machine that gets
    slower for a while is slower for all of them.
    """
    names = list(contenders)
    for name in names:
        contenders[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            contenders[name]()
            seconds[name].append(clock() - start)
    return seconds


def median_ms(seconds: Sequence[float]) -> float:
    return round(statistics.median(seconds) * 1000, 2)


def ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """The median over the rounds of `seconds / base`."""
    return round(statistics.median(a / b for a, b in zip(seconds, base, strict=True)), 2)


def machine() -> dict[str, Any]:
    """What the numbers depend on, without names or paths."""
    cpu = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+) kB", _text("/proc/meminfo"))
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1e6) if memory else None,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
