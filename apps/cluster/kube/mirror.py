"""What the cluster looked like a moment ago: nodes, Jobs, pods and warnings, kept up to date by threads.

Watches are not trusted: they end, break, expire and go deaf. A thread a kind lists, then watches only to
learn that something has changed, and lists again: after every change, every error, every end of a watch, and
at least every RELIST seconds. So what `look` answers is old at worst, and never wrong for good. Nobody who
looks waits for the API server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.cluster.engines.base import EngineError
from apps.cluster.kube.api import Api, Expired, Thing, Unreachable
from apps.cluster.kube.builders import BATCH

RELIST = 5  # seconds
DEBOUNCE = 0.05  # seconds in which changes that come together are taken together
LONGEST_PAUSE = 5.0  # seconds between tries while the server does not answer
KINDS: Mapping[str, str] = {"nodes": "", "jobs": BATCH, "pods": BATCH}  # kind: labels
WARNINGS = "type=Warning"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sight:
    """`time` is when its oldest part was asked for, `jobs_time` when the Jobs were; 0: never. `error` says
    why the last try failed."""

    time: float = 0.0
    jobs_time: float = 0.0
    nodes: tuple[Thing, ...] = ()
    jobs: tuple[Thing, ...] = ()
    pods: tuple[Thing, ...] = ()
    warnings: tuple[Thing, ...] = ()
    error: str = ""
    away: bool = False  # it was that the server did not answer
    number: int = 0  # grows with every change


@dataclass
class _Part:
    items: tuple[Thing, ...] = ()
    time: float = 0.0
    error: str = ""
    away: bool = False
    version: str = ""


class Mirror:
    """`threads=False`: every look asks the server, for tests and one-off questions."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.time, threads: bool = True) -> None:
        self._api = api
        self._clock = clock
        self._threads = threads
        self._parts = {kind: _Part() for kind in (*KINDS, "events")}
        self._lock = threading.Lock()
        self._number = 0
        self._stopped = threading.Event()
        self._running: list[threading.Thread] = []
        self._sight = Sight()

    @property
    def started(self) -> bool:
        return bool(self._running) or not self._threads

    def start(self) -> None:
        """Begin to watch, once. The first list is made here, so that the first look shows something."""
        if self._running or not self._threads:
            return
        for kind in KINDS:
            self.refresh(kind)
            thread = threading.Thread(target=self._follow, args=(kind,), name=f"watch-{kind}", daemon=True)
            self._running.append(thread)
            thread.start()

    def stop(self) -> None:
        """For tests: threads end with their watch."""
        self._stopped.set()

    def look(self) -> Sight:
        if not self._threads:
            for kind in (*KINDS, "events"):
                self.refresh(kind)
        with self._lock:
            return self._sight

    def look_for_warnings(self) -> None:
        """Have the warnings listed, unless they were lately: only asked for while something waits."""
        part = self._parts["events"]
        if self._clock() - part.time >= RELIST:
            part.time = self._clock()
            threading.Thread(target=self.refresh, args=("events",), daemon=True).start()

    def refresh(self, kind: str) -> bool:
        """List one kind now. False when the server did not answer; what was known stays."""
        part, asked = self._parts[kind], self._clock()
        fields = WARNINGS if kind == "events" else ""
        try:
            found = self._api.list(kind, KINDS.get(kind, ""), fields)
        except EngineError as error:
            if not part.error:
                log.warning("%s can't be listed: %s", kind, error)
            part.error, part.away = str(error), isinstance(error, Unreachable)
            self._publish()
            return False
        if part.error:
            log.info("%s can be listed again", kind)
        part.items, part.version, part.time = tuple(found.items), found.version, asked
        part.error, part.away = "", False
        self._publish()
        return True

    def _publish(self) -> None:
        parts = self._parts
        with self._lock:
            self._number += 1
            self._sight = Sight(
                time=min(parts[kind].time for kind in KINDS),
                jobs_time=parts["jobs"].time,
                nodes=parts["nodes"].items,
                jobs=parts["jobs"].items,
                pods=parts["pods"].items,
                warnings=parts["events"].items,
                error=next((parts[kind].error for kind in KINDS if parts[kind].error), ""),
                away=any(parts[kind].away for kind in KINDS),
                number=self._number,
            )

    def _follow(self, kind: str) -> None:
        """List and wait for a change, for ever. An error that is nobody's plan must not end the thread: the
        mirror would go deaf."""
        pause = 1.0
        while not self._stopped.is_set():
            try:
                if self.refresh(kind):
                    pause = 1.0
                    self._await_change(kind)
                    self._stopped.wait(DEBOUNCE)
                else:
                    self._stopped.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
            except Exception:
                log.exception("watching %s failed; again in %g s", kind, LONGEST_PAUSE)
                self._stopped.wait(LONGEST_PAUSE)

    def _await_change(self, kind: str) -> None:
        """Until something has changed, the watch has ended in any way, or RELIST seconds are over."""
        part = self._parts[kind]
        try:
            for _ in self._api.watch(kind, part.version, RELIST, KINDS[kind]):
                return
        except Expired:
            log.debug("the watch of %s has expired", kind)
        except EngineError as error:
            log.info("the watch of %s ended: %s", kind, error)
            self._stopped.wait(0.5)
