"""Recompute everything from the entries and say what does not fit. Reads only; constant memory."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count, F, Q, Sum, Window
from django.db.models.functions import Coalesce, RowNumber

from apps.payments.models import Account, Entry, Hold, TopUp, Transaction


def findings() -> Iterator[str]:
    """One line for each thing that is off; none when the ledger is right."""
    yield from _unbalanced()
    yield from _balances()
    yield from _running_balances()
    yield from _limits()
    yield from _held()
    yield from _topups()
    yield from _triggers()


def _unbalanced() -> Iterator[str]:
    rows = Transaction.objects.annotate(total=Coalesce(Sum("entries__amount"), 0), lines=Count("entries"))
    for row in rows.filter(~Q(total=0) | Q(lines__lt=2)).iterator():
        yield f"transaction {row.pk} ({row.kind}): {row.lines} entries that sum to {row.total}"


def _balances() -> Iterator[str]:
    rows = Account.objects.annotate(total=Coalesce(Sum("entries__amount"), 0))
    for row in rows.exclude(balance=F("total")).iterator():
        yield f"account {row.code}: balance {row.balance}, its entries sum to {row.total}"


def _running_balances() -> Iterator[str]:
    window = {"partition_by": [F("account")], "order_by": F("id").asc()}
    rows = Entry.objects.annotate(
        total=Window(Sum("amount"), **window), number=Window(RowNumber(), **window)
    ).filter(~Q(balance_after=F("total")))
    for row in rows.select_related("account").iterator():
        yield f"entry {row.pk} of {row.account.code}: says {row.balance_after}, its sum is {row.total}"


def _limits() -> Iterator[str]:
    """What the database's own constraints forbid, should they have been taken off."""
    people = [Account.Kind.WALLET, Account.Kind.HELD, Account.Kind.EARNINGS, Account.Kind.TRANSIT]
    for row in Account.objects.filter(kind__in=people, balance__lt=0):
        yield f"account {row.code} is below zero: {row.balance}"
    for row in Account.objects.filter(kind=Account.Kind.DEBT, balance__gt=0):
        yield f"account {row.code} is above zero: {row.balance}"


def _held() -> Iterator[str]:
    """What is held is what open holds say."""
    left = Sum((F("units") - F("charged")) * F("unit_price"))
    expected = dict(
        Hold.objects.filter(open=True, user__isnull=False).values_list("user").annotate(left=left).order_by()
    )
    accounts = Account.objects.filter(kind=Account.Kind.HELD, owner__isnull=False)
    actual = dict(accounts.values_list("owner", "balance"))
    for user in sorted(expected.keys() | actual.keys()):
        want, have = expected.get(user) or 0, actual.get(user, 0)
        if want != have:
            yield f"held:{user} holds {have}, open holds say {want}"


def _topups() -> Iterator[str]:
    """What was granted, less what was taken back, is in the ledger."""
    for topup in TopUp.objects.filter(granted=True).iterator():
        key = f"topup:{topup.pk}:grant"
        if not Transaction.objects.filter(key=key).exists():
            yield f"top-up {topup.pk} is marked as granted and is not in the ledger"


def _triggers() -> Iterator[str]:
    """The database must refuse changes of the ledger: a migration that rebuilds a table loses them."""
    queries = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'",
    }
    if connection.vendor not in queries:
        return
    with connection.cursor() as cursor:
        cursor.execute(queries[connection.vendor])
        there = {name for (name,) in cursor.fetchall()}
    for model in (Transaction, Entry):
        for verb in ("update", "delete"):
            if f"{model._meta.db_table}_no_{verb}" not in there:
                yield f"the database would not refuse to {verb} rows of {model._meta.db_table}"
