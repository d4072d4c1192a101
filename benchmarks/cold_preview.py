"""The first preview of weights that a preview server has never used, against the next ones.

A real preview server with one slot, asked over HTTP with a JPEG of 1152 × 864. `cold` is the first answer
for each of several weights files of the same size, no two alike; `warm` the median of the next ones. `load`
is what the server says that loading took. The files are written just before, so they are in the page cache;
`evicted` asks for others that were dropped from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
from onnx import numpy_helper

import jobfolder
from benchmarks import _networks
from benchmarks._photos import photo

SEEDS = 5
OPTIONS = {"generate": {"size": 256}}  # by route


@contextmanager
def _server(data_dir: Path) -> Iterator[httpx.Client]:
    command = [
        sys.executable,
        "-m",
        "model_images.runtime",
        "serve",
        "--node",
        "bench",
        "--data",
        str(data_dir),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (beats := jobfolder.read_endpoints(data_dir)):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the preview server did not start")
            time.sleep(0.05)
        with httpx.Client(base_url=beats[0].url, timeout=60, trust_env=False) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ask(client: httpx.Client, route: str, sha256: str, image: bytes) -> tuple[float, float]:
    """Milliseconds of the whole, and of loading."""
    fields = {
        "file": ("photo.jpg", image),
        "params": (None, json.dumps(OPTIONS.get(route, {}))),
        "weights": (None, sha256),
    }
    start = time.perf_counter()
    answer = client.post(f"/{route}", files=fields, headers={"Accept": "application/json"})
    spent = (time.perf_counter() - start) * 1000
    answer.raise_for_status()
    return spent, json.loads(answer.content)["timings"].get("load_ms", 0.0)


def _varied(made: _networks.Made, number: int) -> str:
    """Other weights of the same size: one number differs."""
    model = onnx.load(jobfolder.weights_path(made.data_dir, made.sha256))
    first = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = numpy_helper.to_array(first).copy()
    values.flat[0] += np.float32(number + 1) * 1e-4
    first.CopyFrom(numpy_helper.from_array(values, first.name))
    data = model.SerializeToString()
    sha256 = hashlib.sha256(data).hexdigest()
    jobfolder.weights_path(made.data_dir, sha256).write_bytes(data)
    return sha256


def _evict(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks cold_preview")
    parser.add_argument("--quick", action="store_true", help="fewer weights files")
    options = parser.parse_args(argv)
    count = 2 if options.quick else SEEDS
    rows = []
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        root = Path(folder)
        image = photo(1)
        makers = (_networks.detector, _networks.generator, _networks.classifier)
        networks = [make(root) for make in makers]
        with _server(root) as client:
            for made in networks:
                rows.append(_row(client, made, image, count))
    return {"rows": rows, "weights": count}


def _row(client: httpx.Client, made: _networks.Made, image: bytes, count: int) -> dict[str, Any]:
    route = {"yolov5": "detect-to-json", "gan": "generate", "classifier": "classify"}[made.built.meta.family]
    cold, warm, loads, evicted = [], [], [], []
    for number in range(count):
        cached, dropped = _varied(made, 2 * number), _varied(made, 2 * number + 1)
        spent, load = _ask(client, route, cached, image)
        cold.append(spent)
        loads.append(load)
        warm += [_ask(client, route, cached, image)[0] for _ in range(3)]
        _evict(jobfolder.weights_path(made.data_dir, dropped))
        evicted.append(_ask(client, route, dropped, image)[0])
    middle = statistics.median
    return {
        "network": made.name,
        "megabytes": round(jobfolder.weights_path(made.data_dir, made.sha256).stat().st_size / 1e6, 1),
        "warm_ms": round(middle(warm), 1),
        "cold_ms": round(middle(cold), 1),
        "more_ms": round(middle(cold) - middle(warm), 1),
        "load_ms": round(middle(loads), 1),
        "evicted_more_ms": round(middle(evicted) - middle(warm), 1),
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """Warm, and what the first one takes more."""
    names = [f"{row['network']}, {row['megabytes']} MB" for row in report["rows"]]
    warm = [row["warm_ms"] for row in report["rows"]]
    axes.barh(names, warm, label="warm")
    axes.barh(names, [row["more_ms"] for row in report["rows"]], left=warm, label="first")
    axes.set_xlabel("milliseconds, median")
    axes.legend()
    axes.invert_yaxis()
