"""How long previews have taken at each preview server lately, as this web process has seen it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from apps.cluster.once import once
from loadbalancer.latency import peak_ewma

_FORGOTTEN = 600.0  # seconds after which a server that was asked nothing is unknown again

Server = tuple[str, float]  # its URL and when it was started: a restarted server is unknown


class Latencies:
    """Averages of seconds by server. An estimate: each web process has its own, as every client of a service
    mesh has, and losing it costs a few previews that go to the second-best server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._averages: dict[Server, tuple[float, float]] = {}  # seconds, when

    def observe(self, server: Server, seconds: float) -> None:
        now = self._clock()
        with self._lock:
            value, when = self._averages.get(server, (0.0, now))
            self._averages[server] = (peak_ewma(value, seconds, now - when), now)
            self._averages = {
                key: entry for key, entry in self._averages.items() if now - entry[1] < _FORGOTTEN
            }

    def of(self, server: Server) -> float:
        """Seconds; 0 when nothing is known."""
        with self._lock:
            value, when = self._averages.get(server, (0.0, 0.0))
            return value if value and self._clock() - when < _FORGOTTEN else 0.0


@once
def latencies() -> Latencies:
    """One a process."""
    return Latencies()
