"""What the web process measures about itself, for Prometheus.

With several processes PROMETHEUS_MULTIPROC_DIR names a folder where each keeps its numbers, and a scrape of
any of them answers with the sum. State that lies in the database is read at scrape time instead of counted:
it is right whichever process is asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

import jobfolder
from apps.cluster.engines.verdict import fresh
from apps.processing.models import Job, Placement
from marketplace import site_checks

REQUESTS = Counter("pixelyard_requests_total", "Answered requests", ["view", "method", "status"])
SECONDS = Histogram(
    "pixelyard_request_seconds",
    "Time until the answer begins",
    ["view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class MetricsMiddleware:
    """Outermost, so that it sees what the others answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self._get_response(request)
        match = request.resolver_match
        # Names only, never paths or what a client made up: every label value is a time series.
        view = (match.view_name or "unnamed") if match else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(view, method, response.status_code).inc()
        SECONDS.labels(view).observe(time.perf_counter() - began)
        return response


class Platform(Collector):
    """Jobs and nodes, as they are now."""

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("pixelyard_jobs", "Jobs by status", labels=["status"])
        counted = dict(Job.objects.values_list("status").annotate(Count("id")))
        for status in Job.Status.values:
            jobs.add_metric([status], counted.get(status, 0))
        yield jobs
        yield GaugeMetricFamily(
            "pixelyard_queue_length", "Jobs that wait for a node", counted.get(Job.Status.QUEUED, 0)
        )
        workers = GaugeMetricFamily("pixelyard_node_workers", "Batch workers on a node", labels=["node"])
        live = (Placement.State.PLACED, Placement.State.RUNNING)
        on_node = dict(Placement.objects.filter(state__in=live).values_list("node").annotate(Count("id")))
        up = GaugeMetricFamily("pixelyard_node_up", "1 if the node is alive", labels=["node"])
        now = time.time()
        for node, alive in _nodes(now).items():
            up.add_metric([node], float(alive))
            workers.add_metric([node], on_node.get(node, 0))
        yield up
        yield workers
        servers = GaugeMetricFamily(
            "pixelyard_preview_server_up", "1 if the preview server is alive", labels=["node", "server"]
        )
        for endpoint in jobfolder.read_endpoints(settings.DATA_DIR):
            alive = float(fresh(endpoint.time, now, settings.NODE_TIMEOUT))
            servers.add_metric([endpoint.node, endpoint.key], alive)
        yield servers


def _nodes(now: float) -> dict[str, bool]:
    """Whether each node is alive."""
    if settings.ENGINE == "kubernetes":
        return site_checks.cluster_nodes()
    beats = jobfolder.read_nodes(settings.DATA_DIR)
    return {beat.node: fresh(beat.time, now, settings.NODE_TIMEOUT) for beat in beats}


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    state = CollectorRegistry()
    state.register(Platform())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        measured = CollectorRegistry()
        multiprocess.MultiProcessCollector(measured)
    else:
        measured = REGISTRY
    return generate_latest(measured) + generate_latest(state)
