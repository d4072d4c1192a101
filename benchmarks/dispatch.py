"""From a request to results, on the embedded engine and on Kubernetes: how long work takes to get to where it
is done.

A job of 1, 10 and 200 photos of one megapixel goes through the API on at most two workers. `first_s` is from
the request until the API says that a photo is done, `all_s` until the job has ended; `bare_loop_s` is what
two warm processes take for all. Where the time to the first photo went is told by the worker that finished it
(its heartbeat and its document), by the job's log, and on Kubernetes by a watch of its pod:

    queue      request → the controller has placed the worker
    schedule   → there is a pod, and it has a node            (embedded: none, the task is for a node)
    sandbox    → its process runs: volumes, network, container   (embedded: the task's way, and the fork)
    import     → it has imported everything
    session    → it is locked in, has loaded what the app needs, and has its first chunk
    work       → its first document is written
    ingest     → the API says so

`rest_s` is all of them but the sandbox, which is the cluster's own. Kubernetes is left out where there is no
test cluster (docs/kubernetes.md).
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

import jobfolder
from benchmarks._photos import photo, variant
from benchmarks._platform import Platform, platform
from benchmarks.batch import bare_loop

APP = "blackwhite"
WORKERS = 2
POLL = 0.02
PARTS = ("queue", "schedule", "sandbox", "import", "session", "work", "ingest")
# When a pod was first seen to be there and to have a node: {pod: {"made": …, "bound": …}}
Pods = Mapping[str, Mapping[str, float]]


@dataclass
class World:
    """A platform to measure. `pods`: what was seen of the pods; empty where there are none."""

    engine: str
    site: Platform
    pods: dict[str, dict[str, float]] = field(default_factory=dict)
    name_of: Callable[[str], str] = str  # the pods of a worker begin with it


@dataclass(frozen=True)
class Ran:
    first: float
    all: float
    parts: dict[str, float]


@contextmanager
def embedded() -> Iterator[World]:
    with platform(nodes=WORKERS) as site:
        yield World("embedded", site)


@contextmanager
def on_kubernetes() -> Iterator[World]:
    """Raises NoCluster where there is none."""
    from tests.cluster.scripts import Scripts, folder
    from tests.cluster.site import Site

    scripts = Scripts(folder())
    started = not scripts.is_there()
    if started:
        scripts.up()
    site = Site(scripts, families=["filters"])
    try:
        site.start()
        token = site.api().http.headers["Authorization"]
        with httpx.Client(base_url=site.base_url, headers={"Authorization": token}, timeout=120) as http:
            world = World("kubernetes", Platform(site.base_url, site.data_dir, http, os.getpid()))
            threading.Thread(target=_follow, args=(site, world.pods), daemon=True).start()
            yield world
    finally:
        site.stop()
        if started:
            scripts.down()


def _follow(site: Any, pods: dict[str, dict[str, float]]) -> None:
    """Note when each pod was first seen, until the client is closed."""
    import kubernetes

    while True:
        try:
            stream = kubernetes.watch.Watch().stream(site.core.list_namespaced_pod, site.namespace)
            for event in stream:
                pod, now = event["object"], time.time()
                worker = pod.metadata.labels.get("pixelyard/worker", pod.metadata.name)
                seen = pods.setdefault(worker, {"made": now})
                if pod.spec.node_name:
                    seen.setdefault("bound", now)
        except Exception:
            time.sleep(0.2)


def run(argv: Sequence[str]) -> dict[str, Any]:
    from tests.cluster.scripts import NoCluster

    parser = argparse.ArgumentParser(prog="python -m benchmarks dispatch")
    parser.add_argument("--quick", action="store_true", help="fewer photos and repeats")
    parser.add_argument("--repeat", type=int, default=None)
    parser.add_argument("--engine", choices=["embedded", "kubernetes", "both"], default="both")
    options = parser.parse_args(argv)
    sizes = (1, 10) if options.quick else (1, 10, 200)
    repeat = options.repeat or (2 if options.quick else 5)
    rows, skipped = [], ""
    for start in (embedded, on_kubernetes):
        if options.engine not in ("both", "embedded" if start is embedded else "kubernetes"):
            continue
        try:
            with start() as world:
                rows += [_measure(world, size, repeat) for size in sizes]
        except NoCluster as error:
            skipped = str(error)
    return {"rows": rows, "repeat": repeat, "skipped": skipped, "load": os.getloadavg()[0]}


def _measure(world: World, size: int, repeat: int) -> dict[str, Any]:
    bases = [photo(n, 1152, 864) for n in range(min(size, 20))]
    cores = sorted(os.sched_getaffinity(0))[:WORKERS]
    jobs, loops = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeat + 1):  # the first is not counted
            photos = [variant(bases[n % len(bases)], n + size * turn) for n in range(size)]
            named = [(f"{n:03}.jpg", data) for n, data in enumerate(photos)]
            uploaded = world.site.folder(f"{size} photos, {secrets.token_hex(4)}", named)
            time.sleep(
                2
            )  # thumbnails of what was uploaded are no part of the job, nor pods of the one before
            ran = _run(world, uploaded)
            files = [Path(folder) / name for name, _ in named]
            for path, data in zip(files, photos, strict=True):
                path.write_bytes(data)
            loop = bare_loop(cores, APP, {}, files)
            if turn:
                jobs.append(ran)
                loops.append(loop.seconds)
    return _row(world.engine, size, jobs, loops)


def _run(world: World, folder: str) -> Ran:
    start, first = time.time(), 0.0
    job = world.site.api("POST", "/jobs", json={"app": APP, "folder": folder, "parallelism": WORKERS})
    while job["status"] in {"queued", "running"}:
        time.sleep(POLL)
        job = world.site.api("GET", f"/jobs/{job['id']}")
        if job["done"] and not first:
            first = time.time()
    if job["status"] != "succeeded" or job["failed"]:
        raise RuntimeError(f"the job ended as {job['status']}: {job['reason']}")
    parts = _parts(world, job, start, first or time.time())
    return Ran(
        (first or time.time()) - start, datetime.fromisoformat(job["finished"]).timestamp() - start, parts
    )


def _parts(world: World, job: Mapping[str, Any], start: float, shown: float) -> dict[str, float]:
    documents = world.site.api("GET", f"/jobs/{job['id']}/results")["items"]
    earliest = min(documents, key=lambda document: document["finished"])
    worker = earliest["worker"]
    log = world.site.api("GET", f"/jobs/{job['id']}/log")["items"]
    placed = next(
        datetime.fromisoformat(event["time"]).timestamp()
        for event in log
        if event["kind"] == "worker_placed" and event["data"]["worker"] == worker
    )
    beat = jobfolder.read_worker(world.site.data_dir / "jobs" / job["id"], worker)
    if beat is None or beat.born is None or beat.imported is None or beat.claimed is None:
        raise RuntimeError(f"{worker} has not said when it began")
    bound = world.pods.get(worker, {}).get("bound", placed)
    times = [start, placed, bound, beat.born, beat.imported, beat.claimed, earliest["finished"], shown]
    # A fork has imported everything before it is born, and a watch may be told late.
    for at in range(1, len(times)):
        times[at] = max(times[at], times[at - 1])
    return {name: after - before for name, before, after in zip(PARTS, times[:-1], times[1:], strict=True)}


def _row(engine: str, size: int, jobs: Sequence[Ran], loops: Sequence[float]) -> dict[str, Any]:
    def median(values: Iterator[float]) -> float:
        return round(statistics.median(values), 3)

    return {
        "engine": engine,
        "photos": size,
        "first_s": median(job.first for job in jobs),
        "all_s": median(job.all for job in jobs),
        "bare_loop_s": median(iter(loops)),
        "rest_s": median(job.first - job.parts["sandbox"] for job in jobs),
        **{f"{name}_ms": round(1000 * median(job.parts[name] for job in jobs)) for name in PARTS},
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """Where the time to the first photo went, one bar a row."""
    names = [f"{row['engine']}, {row['photos']}" for row in report["rows"]]
    left = [0.0] * len(names)
    for part in PARTS:
        width = [row[f"{part}_ms"] / 1000 for row in report["rows"]]
        axes.barh(names, width, left=left, label=part)
        left = [a + b for a, b in zip(left, width, strict=True)]
    axes.set_xlabel("seconds from the request to the first photo")
    axes.legend(loc="lower right", fontsize=7)
    axes.invert_yaxis()
