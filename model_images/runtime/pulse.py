"""A worker's heartbeat: a thread that rewrites it, and the main thread that says what it is doing."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobfolder import Heartbeat, write_worker

EVERY = 0.5  # seconds; readers count on at least one a second

log = logging.getLogger(__name__)


def born() -> float | None:
    """When this process began, by the kernel, to a hundredth of a second; None where it doesn't say."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, IndexError, OSError, ValueError):
        return None
    return time.time() - age


class Pulse:
    """Written every EVERY seconds by a thread, and at once where `tell` is told so. Not at each photo:
    making a file costs more than small photos take."""

    def __init__(
        self, job_dir: Path, worker: str, node: str, isolation: list[str], **known: float | None
    ) -> None:
        """`known`: fields of the heartbeat that are known already: `born`, `imported`."""
        now = time.time()
        self._job_dir = job_dir
        self._beat = Heartbeat(worker, node, os.getpid(), now, now, isolation=isolation)
        self._beat = replace(self._beat, **known)  # type: ignore[arg-type]
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def images(self) -> int:
        return self._beat.images

    @property
    def has_claimed(self) -> bool:
        return self._beat.claimed is not None

    def start(self) -> None:
        self._write()
        self._thread.start()

    def tell(self, *, now: bool = False, **changes: Any) -> None:
        """Change fields of the heartbeat; with `now`, write it too."""
        with self._lock:
            self._beat = replace(self._beat, **changes)
        if now:
            self._write()

    def _write(self) -> None:
        """A failing disk is logged and does not end the work: whoever misses the heartbeat decides."""
        with self._lock:
            self._beat = replace(self._beat, time=time.time())
            try:
                write_worker(self._job_dir, self._beat)
            except FileNotFoundError:
                pass  # the folder is gone; the worker notices by itself
            except OSError as error:
                log.warning("heartbeat of %s not written: %s", self._beat.worker, error)

    def stop(self, reason: str) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.tell(now=True, state="exited", reason=reason, chunk=None, image=None, image_started=None)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._write()
