"""What the platform adds to a preview: HTTP in to HTTP out, less the bare processor.

The bare processor is timed by the preview server itself (read, process, encode) and told in the answer's
timings. What is left is the platform: authentication, the choice of a node, both HTTP hops, and JSON. The
client is the standard library's on one open connection, with the question written beforehand, since what a
client does besides is nobody's platform. The apps take turns, so that a machine that is slower for a while is
slower for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from benchmarks._photos import photo
from benchmarks._platform import Platform, platform

APPS: dict[str, dict[str, Any]] = {
    "blackwhite": {},
    "ascii": {},
    "pixelart": {},
    "mosaic": {"style": "blocks"},
}
WARM = 6  # previews of each app that are not counted: both preview servers have then made it


def _once(site: Platform, client: HTTPConnection, app: str, image: str, params: Any) -> tuple[float, float]:
    """(whole, bare) in milliseconds of one preview of a photo in the drive, answered as an image."""
    fields = {"image": (None, image), "params": (None, json.dumps(params))}
    asked = site.http.build_request(
        "POST", f"/api/v1/apps/{app}/preview", files=fields, headers={"Accept": "image/*"}
    )
    target, body, headers = asked.url.raw_path.decode(), asked.read(), dict(asked.headers)
    start = time.perf_counter()
    client.request("POST", target, body, headers)
    answer = client.getresponse()
    answer.read()
    whole = (time.perf_counter() - start) * 1000
    if answer.status != 200:
        raise RuntimeError(f"{app} was answered {answer.status}")
    return whole, _bare(answer.headers["Server-Timing"])


def _bare(header: str) -> float:
    """The processor's own milliseconds from `read;dur=1.2, process;dur=3.4, …`."""
    steps = {}
    for part in header.split(","):
        name, _, rest = part.strip().partition(";")
        steps[name] = float(rest.partition("dur=")[2])
    return sum(steps[name] for name in ("read", "process", "encode") if name in steps)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks preview")
    parser.add_argument("--quick", action="store_true", help="fewer previews")
    options = parser.parse_args(argv)
    count = 20 if options.quick else 100
    with platform() as site:
        folder = site.folder("Previews", [("one.jpg", photo(1)), ("two.jpg", photo(2))])
        images = [image["id"] for image in site.api("GET", f"/images?folder={folder}")["items"]]
        client = HTTPConnection(urlsplit(site.base_url).netloc)
        timed: dict[str, list[tuple[float, float]]] = {app: [] for app in APPS}
        for turn in range(-WARM, count):
            for app, params in APPS.items():
                taken = _once(site, client, app, images[turn % 2], params)
                if turn >= 0:
                    timed[app].append(taken)
    rows = [_row(app, taken) for app, taken in timed.items()]
    return {"rows": rows, "previews": count, "load": os.getloadavg()[0]}


def _row(app: str, timed: Sequence[tuple[float, float]]) -> dict[str, Any]:
    added = [whole - bare for whole, bare in timed]
    return {
        "app": app,
        "whole_ms": round(statistics.median(whole for whole, _ in timed), 2),
        "bare_ms": round(statistics.median(bare for _, bare in timed), 2),
        "added_ms": round(statistics.median(added), 2),
        "added_p95_ms": round(statistics.quantiles(added, n=20)[-1], 2),
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """Bare and added milliseconds, stacked."""
    names = [row["app"] for row in report["rows"]]
    bare = [row["bare_ms"] for row in report["rows"]]
    axes.barh(names, bare, label="processor")
    axes.barh(names, [row["added_ms"] for row in report["rows"]], left=bare, label="platform")
    axes.set_xlabel("milliseconds, median")
    axes.legend()
    axes.invert_yaxis()
