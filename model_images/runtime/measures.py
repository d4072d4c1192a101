"""What a preview server counts, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


@dataclass
class Measure:
    status: str = "failed"


class Measures:
    """Each server has its own registry, so that several can live in one process."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._previews = Counter(
            "previews", "Previews answered", ["processor", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "preview_seconds",
            "From request to answer",
            ["processor"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._loads = Histogram(
            "weights_load_seconds",
            "Loading weights that a preview worker did not have in memory",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._active = Gauge("previews_active", "Previews in hand, waiting included", registry=self._registry)

    @contextmanager
    def of(self, processor: str) -> Iterator[Measure]:
        """Count and time the block; it sets `status` to ok when it went well."""
        measure, start = Measure(), time.perf_counter()
        with self._active.track_inprogress():
            try:
                yield measure
            finally:
                self._previews.labels(processor, measure.status).inc()
                self._seconds.labels(processor).observe(time.perf_counter() - start)

    def loaded(self, ms: float | None) -> None:
        """A preview had to load its weights first, which took `ms`; None: it had not."""
        if ms is not None:
            self._loads.observe(ms / 1000)

    def text(self) -> bytes:
        return generate_latest(self._registry)
