"""The drive page with 10, 1,000 and 10,000 photos in the folder: database queries and time.

Runs in this process on a temporary SQLite database, through Django's test client: the whole request, without
sockets.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks._common import django_in_process

SIZES = (10, 1_000, 10_000)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    options = parser.parse_args(argv)
    with django_in_process():
        return _measure(10 if options.quick else 40)


def _measure(requests: int) -> dict[str, Any]:
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.DEBUG = False
    call_command("migrate", verbosity=0)
    owner, folders = _fill()
    client = Client()
    client.force_login(owner, backend=settings.AUTHENTICATION_BACKENDS[0])

    routes: dict[str, Callable[[Any], str]] = {
        "page": lambda folder: f"/drive/{folder.id}/",
        "API": lambda folder: f"/api/v1/images?folder={folder.id}",
    }
    rows = []
    for name, url_of in routes.items():
        urls = {size: url_of(folder) for size, folder in folders.items()}
        for url in urls.values():
            client.get(url)  # templates are compiled once
        times: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(requests):  # in turns
            for size, url in urls.items():
                times[size].append(_timed(client, url))
        for size, url in urls.items():
            median = statistics.median(times[size])
            rows.append(
                {
                    "route": name,
                    "photos": size,
                    "queries": _queries(client, url),
                    "ms": round(median, 2),
                    "ratio_to_10": round(median / statistics.median(times[10]), 3),
                }
            )
    return {"rows": rows, "requests": requests}


def _timed(client: Any, url: str) -> float:
    start = time.perf_counter()
    response = client.get(url)
    spent = (time.perf_counter() - start) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"{url} answered {response.status_code}")
    return spent


def _queries(client: Any, url: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    return len(queries)


def _fill() -> tuple[Any, dict[int, Any]]:
    """An owner with one folder of each size. Rows only: the page reads no bytes of photos."""
    from apps.accounts.models import User
    from apps.drive.models import Folder, Image

    owner = User.objects.create_user("bench@example.org", "not-used-7")
    folders = {}
    for size in SIZES:
        folder = folders[size] = Folder.objects.create(owner=owner, name=f"{size} photos")
        Image.objects.bulk_create(
            [
                Image(
                    owner=owner,
                    folder=folder,
                    name=f"{n:05}.jpg",
                    sha256=f"{size:08x}{n:056x}",
                    format="jpeg",
                    bytes=349_000,
                    width=1152,
                    height=864,
                )
                for n in range(size)
            ],
            batch_size=500,
        )
    return owner, folders


def plot(report: dict[str, Any], axes: Any) -> None:
    """Milliseconds over photos in the folder."""
    for name in ("page", "API"):
        rows = [row for row in report["rows"] if row["route"] == name]
        axes.plot([row["photos"] for row in rows], [row["ms"] for row in rows], marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("photos in the folder")
    axes.set_ylabel("milliseconds, median")
    axes.legend()
