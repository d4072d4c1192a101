"""Purchases per second on PostgreSQL with 1, 4 and 16 buyers at once, audited afterwards; beside it the same
rows inserted without any of it: no balances, no checks, no keys looked up.

    .ci/postgres .venv/bin/python -m benchmarks ledger

Every purchase is a real call of the service, each buyer on a connection of its own. All buy from one seller:
all change that seller's earnings, the platform's fees and the listings' counts: the worst case. DATABASE_URL
names the server; everything is made in a database of its own and dropped again.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks._common import django_in_process

BUYERS = (1, 4, 16)
PRICE = 10


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ledger")
    parser.add_argument("--quick", action="store_true", help="fewer purchases")
    options = parser.parse_args(argv)
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        raise SystemExit("DATABASE_URL must name a PostgreSQL: .ci/postgres python -m benchmarks ledger")
    with django_in_process():
        return _measure(240 if options.quick else 960)


def _measure(purchases: int) -> dict[str, Any]:
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    settings.DEBUG = False
    before = setup_databases(verbosity=0, interactive=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            server = cursor.fetchone()[0]
            cursor.execute("SHOW synchronous_commit")
            durable = cursor.fetchone()[0]
        rows = []
        for buyers in BUYERS:
            for name, work in (("purchase", _purchases), ("bare INSERT", _inserts)):
                seconds = work(buyers, purchases)
                rows.append(
                    {
                        "what": name,
                        "buyers": buyers,
                        "per_second": round(purchases / seconds),
                        "ms_each": round(seconds / purchases * 1000 * buyers, 2),
                    }
                )
        wrong = _audit()
    finally:
        connection.close()
        teardown_databases(before, verbosity=0)
    if wrong:
        raise RuntimeError(f"the audit found: {wrong[:3]}")
    return {
        "rows": rows,
        "purchases": purchases,
        "audit": "clean",
        "postgresql": server,
        "synchronous_commit": durable,
    }


def _at_once(buyers: int, work: Callable[[int], None]) -> float:
    from django.db import connection

    def one(number: int) -> None:
        try:
            work(number)
        finally:
            connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(buyers) as pool:
        list(pool.map(one, range(buyers)))
    return time.perf_counter() - start


def _purchases(buyers: int, total: int) -> float:
    """`total` listings of one seller, shared out to the buyers."""
    from apps.accounts.models import User
    from apps.catalog.models import Listing
    from apps.payments.services import topups
    from apps.payments.services.purchases import purchase
    from marketplace.ids import new_id

    seller = User.objects.create_user(f"seller-{new_id()}@example.org")
    people = [User.objects.create_user(f"{new_id()}@example.org") for _ in range(buyers)]
    for person in people:
        topups.grant(person, credits=PRICE * total, key=f"bench {person.pk}", reason="for a benchmark")
    listings = _listings(Listing, seller, total // buyers)

    def buy(number: int) -> None:
        for listing in listings:
            purchase(people[number], listing)

    return _at_once(buyers, buy)


def _listings(model: Any, seller: Any, count: int) -> list[str]:
    from django.utils import timezone

    from apps.catalog.models import Version
    from marketplace.ids import new_id

    made = []
    for number in range(count):
        row = model.objects.create(
            seller=seller, title=f"Listing {number}", kind="detection", family="yolov5", price=PRICE
        )
        row.current_version = Version.objects.create(
            listing=row,
            number=1,
            status="ready",
            upload_id=new_id(),
            file_name="a.onnx",
            bytes=1,
            upload_sha256="0" * 64,
            weights_sha256="1" * 64,
        )
        row.status, row.published_at = "published", timezone.now()
        row.save()
        made.append(row.pk)
    return made


_TABLES = {
    "purchase": "id text PRIMARY KEY, buyer text, listing text, price bigint, fee bigint, at timestamptz",
    "transaction": "id text PRIMARY KEY, kind text, key text UNIQUE, reference text, at timestamptz",
    "entry": "id bigserial PRIMARY KEY, transaction text, account bigint, amount bigint, balance bigint",
}


def _inserts(buyers: int, total: int) -> float:
    """The five rows that a purchase adds, in one transaction each, by plain SQL on the same driver."""
    from django.db import connection, transaction

    from marketplace.ids import new_id

    with connection.cursor() as cursor:
        for name, columns in _TABLES.items():
            cursor.execute(f"DROP TABLE IF EXISTS bench_{name}")
            cursor.execute(f"CREATE TABLE bench_{name} ({columns})")

    def insert(number: int) -> None:
        for _ in range(total // buyers):
            one, two = new_id(), new_id()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO bench_purchase VALUES (%s, %s, %s, 10, 1, now())", [one, str(number), two]
                )
                cursor.execute(
                    "INSERT INTO bench_transaction VALUES (%s, 'purchase', %s, %s, now())", [two, one, two]
                )
                cursor.execute(
                    "INSERT INTO bench_entry (transaction, account, amount, balance) VALUES "
                    "(%s, 1, -10, 0), (%s, 2, 9, 0), (%s, 3, 1, 0)",
                    [two, two, two],
                )

    return _at_once(buyers, insert)


def _audit() -> list[str]:
    from apps.payments import audit

    return list(audit.findings())


def plot(report: dict[str, Any], axes: Any) -> None:
    """Per second over buyers at once."""
    for name in ("purchase", "bare INSERT"):
        rows = [row for row in report["rows"] if row["what"] == name]
        axes.plot(
            [row["buyers"] for row in rows], [row["per_second"] for row in rows], marker="o", label=name
        )
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("buyers at once")
    axes.set_ylabel("per second")
    axes.legend()
