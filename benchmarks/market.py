"""The market with 10, 1,000 and 10,000 listings for sale: database queries and time.

Whole requests through Django's test client, in this process: SQLite in a temporary folder, or the empty
PostgreSQL that DATABASE_URL names (`.ci/postgres python -m benchmarks market`). Sizes are measured one after
another as the database grows; within a size the searches take turns.

    all      the first page of everything, newest first
    last     its last page
    word     a word that one listing in ten has
    rare     a word that one listing has
    none     a word that no listing has
    filter   a kind, a price range and a rating, best rated first
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks._common import django_in_process

SIZES = (10, 1_000, 10_000)
PAGE = 24
SEARCHES = {
    "all": "",
    "last": "page={last}",
    "word": "q=harbour",
    "rare": "q=specimen7x",
    "none": "q=unheard",
    "filter": "kind=detection&price_min=100&price_max=600&rating_min=3&order=rating",
}
_WORDS = (
    *("boats", "signs", "leaves", "faces", "night", "street", "roof", "field", "cells", "stars"),
    *("rust", "cracks", "text", "fruit", "birds", "snow", "fog", "metal", "wood", "glass"),
    *("paper", "cloth", "road", "bridge", "tower", "garden", "river", "coast", "desert", "forest"),
)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks market")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    options = parser.parse_args(argv)
    with django_in_process():
        return _measure(10 if options.quick else 40)


def _measure(requests: int) -> dict[str, Any]:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.DEBUG = False
    call_command("migrate", verbosity=0)
    client, rows, base = Client(), [], {}
    made = 0
    for size in SIZES:
        _fill(made, size)
        made = size
        last = -(-size // PAGE)
        urls = {name: f"/market/?{query.format(last=last)}" for name, query in SEARCHES.items()}
        urls["API"] = "/api/v1/listings?page_size=24"
        _log_in(client)
        for url in urls.values():
            client.get(url)  # templates are compiled once
        times: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(requests):
            for name, url in urls.items():
                times[name].append(_timed(client, url))
        for name, url in urls.items():
            median = statistics.median(times[name])
            base.setdefault(name, median)
            rows.append(
                {
                    "search": name,
                    "listings": size,
                    "queries": _queries(client, url),
                    "ms": round(median, 2),
                    "ratio_to_10": round(median / base[name], 2),
                }
            )
    rows.sort(key=lambda row: list(urls).index(row["search"]))
    return {"rows": rows, "requests": requests, "database": connection.vendor}


def _log_in(client: Any) -> None:
    from django.conf import settings

    from apps.accounts.models import User

    client.force_login(User.objects.get(), backend=settings.AUTHENTICATION_BACKENDS[0])


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


def _fill(start: int, end: int) -> None:
    """Listings number `start` to `end`, each with a version, 40 words of description and its index."""
    from django.db import connection

    from apps.accounts.models import User
    from apps.catalog.models import Listing, ListingWord, Version
    from apps.catalog.services import search
    from marketplace.ids import new_id

    if start == 0:
        if User.objects.exists():
            raise RuntimeError("the market is measured on an empty database only")
        User.objects.create_user("bench@example.org", "not-used-7", name="Bench")
    seller, chance = User.objects.get(), random.Random(start)
    listings = [_listing(seller, n, chance) for n in range(start, end)]
    Listing.objects.bulk_create(listings, batch_size=200)
    versions = [
        Version(
            listing=one,
            number=1,
            status="ready",
            upload_id=new_id(),
            file_name="weights.onnx",
            bytes=1_000,
            upload_sha256=f"{n:064x}",
            weights_sha256=f"{n:064x}",
            card={"samples": [{"number": 1, "source": "cat.jpg"}], "classes": ["cat", "dog"]},
        )
        for n, one in enumerate(listings, start)
    ]
    Version.objects.bulk_create(versions, batch_size=200)
    for one, version in zip(listings, versions, strict=True):
        one.current_version, one.status, one.published_at = version, "published", one.created
    Listing.objects.bulk_update(listings, ["current_version", "status", "published_at"], batch_size=200)
    ListingWord.objects.bulk_create(
        [
            ListingWord(listing=one, word=word)
            for one in listings
            for word in search.words(f"{one.title} {one.description} weights onnx cat dog")
        ],
        batch_size=1_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # what autovacuum does on PostgreSQL, and `optimize` on SQLite


def _listing(seller: Any, n: int, chance: random.Random) -> Any:
    from apps.catalog.models import Listing

    family, kind = (("yolov5", "detection"), ("gan", "generation"), ("classifier", "classification"))[n % 3]
    words = [chance.choice(_WORDS) for _ in range(40)] + ["harbour"] * (n % 10 == 0)
    reviews = n % 7
    return Listing(
        seller=seller,
        title=f"Listing {n}",
        description=" ".join([*words, f"specimen{n}x"]),
        kind=kind,
        family=family,
        price=n * 37 % 1_000,
        rating_count=reviews,
        rating_sum=reviews * (1 + n % 5),
        sales_count=n * 13 % 500,
    )


def plot(report: dict[str, Any], axes: Any) -> None:
    """Milliseconds over listings for sale."""
    for name in dict.fromkeys(row["search"] for row in report["rows"]):
        rows = [row for row in report["rows"] if row["search"] == name]
        axes.plot([row["listings"] for row in rows], [row["ms"] for row in rows], marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"listings for sale ({report['database']})")
    axes.set_ylabel("milliseconds, median")
    axes.legend()
