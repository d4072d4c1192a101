"""A thread that keeps writing a heartbeat, and takes it away at an orderly end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

EVERY = 0.5  # seconds; readers count on at least one a second
LATE = 5.0  # without one for so long, readers take it for gone (NODE_TIMEOUT)

log = logging.getLogger(__name__)


class Presence:
    """`write` is called every EVERY seconds from a thread, `remove` at the end."""

    def __init__(self, write: Callable[[], None], remove: Callable[[], None]) -> None:
        self._write = write
        self._remove = remove
        self._stopped = threading.Event()
        self._written = float("-inf")
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._try()
        self._thread.start()

    def stop(self) -> None:
        """Again is harmless."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._remove()

    def trouble(self, clock: Callable[[], float] = time.monotonic) -> str:
        """Why others don't take it to be there, or ""."""
        if self._stopped.is_set():
            return "It is stopping."
        late = clock() - self._written > LATE
        return "Its heartbeat can't be written." if late else ""

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._try()

    def _try(self) -> None:
        """Whatever goes wrong (a full disk, a volume that is away for a moment), the next beat is tried: who
        misses heartbeats decides what that means."""
        try:
            self._write()
            self._written = time.monotonic()
        except Exception as error:
            log.warning("heartbeat not written: %s", error)
