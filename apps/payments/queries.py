"""Everything that lists or counts money. Each function costs a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.payments.models import Account, Entry, Payout, ProviderEvent, Purchase, TopUp, Transaction

Kind = Transaction.Kind
# What a person's history can be filtered by.
WALLET_KINDS = [
    *(Kind.TOPUP, Kind.PURCHASE, Kind.HOLD, Kind.RELEASE, Kind.CLAWBACK, Kind.RESTORE, Kind.REPAY),
    *(Kind.TRANSFER, Kind.GRANT, Kind.ADJUSTMENT),
]
SALES = [Kind.PURCHASE, Kind.SETTLE]
DAYS = 30


@dataclass(frozen=True)
class Balances:
    balance: int = 0
    held: int = 0
    debt: int = 0  # zero or above
    earnings: int = 0
    transit: int = 0


def balances(user: User) -> Balances:
    codes = {f"{kind}:{user.pk}": str(kind) for kind in ("wallet", "held", "debt", "earnings", "transit")}
    rows = Account.objects.filter(code__in=codes).values_list("code", "balance")
    found = {codes[code]: balance for code, balance in rows}
    return Balances(
        balance=found.get("wallet", 0),
        held=found.get("held", 0),
        debt=-found.get("debt", 0),
        earnings=found.get("earnings", 0),
        transit=found.get("transit", 0),
    )


def entries_of(
    user: User,
    *,
    account: str = Account.Kind.WALLET,
    kind: str = "",
    start: date | None = None,
    end: date | None = None,
) -> QuerySet[Entry]:
    """The newest first, both days included, each with its transaction."""
    rows = Entry.objects.filter(account__code=f"{account}:{user.pk}").select_related("transaction")
    if kind:
        rows = rows.filter(transaction__kind=kind)
    if start:
        rows = rows.filter(created__gte=_midnight(start))
    if end and end < date.max:
        rows = rows.filter(created__lt=_midnight(end + timedelta(days=1)))
    return rows.order_by("-id")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def topups_of(user: User) -> QuerySet[TopUp]:
    """Those that have a page to pay on, the newest first."""
    return TopUp.objects.filter(user=user).exclude(checkout_url="").order_by("-created")


def purchases_of(user: User) -> QuerySet[Purchase]:
    return Purchase.objects.filter(buyer=user).select_related("listing").order_by("-created")


def payouts_of(user: User) -> QuerySet[Payout]:
    return Payout.objects.filter(seller=user).prefetch_related("steps").order_by("-created")


@dataclass(frozen=True)
class Day:
    day: date
    credits: int  # after the platform's fee
    sales: int  # listings sold


def sales_by_day(user: User, days: int = DAYS, today: date | None = None) -> list[Day]:
    """One for each of the last days, oldest first, days without a sale too."""
    last = today or timezone.localdate()
    first = last - timedelta(days=days - 1)
    rows = Entry.objects.filter(
        account__code=f"{Account.Kind.EARNINGS}:{user.pk}",
        created__gte=_midnight(first),
        transaction__kind__in=SALES,
    )
    sums = (
        rows.annotate(day=TruncDate("created"))
        .values_list("day")
        .annotate(credits=Sum("amount"), sales=Count("id", filter=Q(transaction__kind=Kind.PURCHASE)))
        .order_by("day")
    )
    found = {day: Day(day, credits, sales) for day, credits, sales in sums}
    every = (first + timedelta(days=number) for number in range(days))
    return [found.get(day, Day(day, 0, 0)) for day in every]


def returned(reference: str) -> int:
    """Credits given back of what was held for this work, over all its attempts."""
    rows = Entry.objects.filter(
        transaction__reference=reference,
        transaction__kind=Kind.RELEASE,
        account__kind=Account.Kind.WALLET,
    )
    return rows.aggregate(sum=Sum("amount"))["sum"] or 0


def priced_listings(limit: int = 100) -> list[Listing]:
    """What can be bought, the most used first."""
    rows = Listing.objects.filter(status=Listing.Status.PUBLISHED)
    return list(rows.select_related("seller").order_by("-sales_count", "title")[:limit])


def lookup(text: str) -> QuerySet[Transaction]:
    """For staff: transactions by id, key, reference, the provider's id, or a person's id or e-mail."""
    rows = Transaction.objects.order_by("-created", "-id").prefetch_related("entries__account")
    if not text:
        return rows
    people = list(User.objects.filter(email__iexact=text).values_list("pk", flat=True))
    named = TopUp.objects.filter(Q(session_id=text) | Q(pk=text)).values_list("pk", flat=True)
    references = [text, *(f"{kind}:{text}" for kind in ("job", "topup", "payout", "listing", "user"))]
    references += [f"topup:{pk}" for pk in named]
    return rows.filter(
        Q(pk=text)
        | Q(key=text)
        | Q(external_id=text)
        | Q(reference__in=references)
        | Q(user_id__in=[text, *people])
    )


def people_of(transactions: list[Transaction]) -> dict[str, str]:
    """E-mail by user id, of those that are still there."""
    ids = {one.user_id for one in transactions} | {one.actor_id for one in transactions}
    return dict(User.objects.filter(pk__in=ids - {""}).values_list("pk", "email"))


def events_to_look_at(limit: int = 20) -> list[ProviderEvent]:
    wrong = [ProviderEvent.Outcome.REFUSED, ProviderEvent.Outcome.FAILED]
    return list(ProviderEvent.objects.filter(outcome__in=wrong).order_by("-received")[:limit])


def totals() -> dict[str, Any]:
    """The platform's own side, by kind of account."""
    rows = (
        Account.objects.values_list("kind").annotate(sum=Sum("balance"), count=Count("id")).order_by("kind")
    )
    return {kind: {"sum": total, "count": count} for kind, total, count in rows}
