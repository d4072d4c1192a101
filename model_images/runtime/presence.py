"""A thread that keeps writing a heartbeat, and takes it away at an orderly end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

EVERY = 0.5  # seconds; readers count on at least one a second

log = logging.getLogger(__name__)


class Presence:
    """`write` is called every EVERY seconds from a thread, `remove` at the end."""

    def __init__(self, write: Callable[[], None], remove: Callable[[], None]) -> None:
        self._write = write
        self._remove = remove
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._try()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._remove()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._try()

    def _try(self) -> None:
        """Whatever goes wrong (a full disk, a volume that is away for a moment), the next beat is tried: who
        misses heartbeats decides what that means."""
        try:
            self._write()
        except Exception as error:
            log.warning("heartbeat not written: %s", error)
