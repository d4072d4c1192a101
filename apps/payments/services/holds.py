"""Credits set aside for work, paid result by result.

    open_hold    wallet → held, for so many results at a price that stays as it is now
    settle       held → seller and platform, for as many good results as there are by now
    close        held → wallet, whatever is left

`settle` is told how many results are good altogether, never how many more: told twice, or by two at once, it
charges each result once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.payments import ledger, locks
from apps.payments.models import Hold, Transaction
from apps.payments.services import debts, keys
from marketplace.ids import new_id

PREVIEW = "preview:"
_PREVIEW_LASTS = timedelta(minutes=10)  # longer than any preview: who opened it has died


def share(price: int, percent: int) -> int:
    """The platform's part of a price, rounded down."""
    return price * percent // 100


@transaction.atomic
def open_hold(
    user: User,
    *,
    reference: str,
    units: int,
    unit_price: int,
    seller: User | None,
    title: str = "",
    digest: str = "",
    fee_percent: int | None = None,
) -> Hold:
    """Set aside `units` × `unit_price`. The same reference once. `fee_percent`: the platform's part, today's
    unless it was agreed earlier. 409: `insufficient_credits`, `in_debt`."""
    if earlier := locks.row(Hold, reference=reference):
        return earlier
    debts.refuse_if_any(user)
    hold = Hold(
        reference=reference,
        user=user,
        seller=seller,
        title=title[:200],
        unit_price=unit_price,
        fee_percent=settings.PLATFORM_FEE_PERCENT if fee_percent is None else fee_percent,
        units=units,
        digest=digest,
    )
    # Of two at once, the second waits here for the first, and then inserts nothing.
    Hold.objects.bulk_create([hold], ignore_conflicts=True)
    stored = Hold.objects.get(reference=reference)
    moves = {ledger.wallet(user): -units * unit_price, ledger.held(user): units * unit_price}
    _post(Transaction.Kind.HOLD, hold, f"hold:{reference}", moves)
    return stored


def fee_of(reference: str) -> int | None:
    """The platform's part, in percent, that a hold was opened with; None without one."""
    return Hold.objects.filter(reference=reference).values_list("fee_percent", flat=True).first()


@transaction.atomic
def settle(reference: str, good: int) -> int:
    """Pay for `good` results altogether. The credits that were charged this time."""
    hold = locks.row(Hold, reference=reference)
    if hold is None or not hold.open or hold.user is None:
        return 0
    before, now = hold.charged, min(good, hold.units)
    if now <= before:
        return 0
    price = (now - before) * hold.unit_price
    # Of the sums, so that a price of one credit pays its fee as well, every few results.
    fee = _fee(hold, now) - _fee(hold, before)
    if hold.seller is None:
        fee = price
    hold.charged = now
    hold.save(update_fields=["charged"])
    moves = {ledger.held(hold.user): -price, ledger.fees(): fee}
    if hold.seller:
        moves[ledger.earnings(hold.seller)] = price - fee
    _post(Transaction.Kind.SETTLE, hold, f"settle:{reference}:{now}", moves)
    return price


@transaction.atomic
def close(reference: str) -> int:
    """Give back what was not used. How many credits; 0 for a hold that is closed already."""
    hold = locks.row(Hold, reference=reference)
    if hold is None or not hold.open:
        return 0
    left = hold.left
    hold.open = False
    hold.save(update_fields=["open"])
    if left and hold.user:
        moves = {ledger.held(hold.user): -left, ledger.wallet(hold.user): left}
        _post(Transaction.Kind.RELEASE, hold, f"release:{reference}", moves)
        debts.repay(hold.user)
    return left


@contextmanager
def for_preview(
    user: User, *, unit_price: int, seller: User | None, title: str, key: str | None, digest: str
) -> Iterator[None]:
    """Charge one preview if what is inside works, and nothing if it raises.

    The same `key` (Idempotency-Key) for the same `digest` is charged once, however often it is asked for.
    409: `insufficient_credits`, `in_debt`, `idempotency_key_reused`.
    """
    keys.check(key)
    if not unit_price:
        yield
        return
    reference = _preview_reference(user, key, digest)
    hold = open_hold(
        user,
        reference=reference,
        units=1,
        unit_price=unit_price,
        seller=seller,
        title=title,
        digest=digest,
    )
    try:
        yield
    except BaseException:
        close(hold.reference)
        raise
    settle(hold.reference, 1)
    close(hold.reference)


def _preview_reference(user: User, key: str | None, digest: str) -> str:
    """Where to charge: a new hold, or the key's own if it was paid already. A try with this key that failed
    and was refunded does not count: the next one gets a hold of its own."""
    if key is None:
        return f"{PREVIEW}{new_id()}"
    # Hashed: a key may hold the letters that separate, and SQLite's prefixes know no capitals.
    start = f"{PREVIEW}{user.pk}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    earlier = list(Hold.objects.filter(user=user, reference__startswith=f"{start}:").order_by("id"))
    if any(hold.digest != digest for hold in earlier):
        raise keys.reused()
    paid = [hold for hold in earlier if hold.charged or hold.open]
    return paid[0].reference if paid else f"{start}:{len(earlier) + 1}"


def close_forgotten_previews() -> None:
    """Give back what a process that died in a preview had set aside."""
    old = Hold.objects.filter(open=True, created__lt=timezone.now() - _PREVIEW_LASTS)
    for reference in old.filter(reference__startswith=PREVIEW).values_list("reference", flat=True)[:100]:
        close(reference)


def _fee(hold: Hold, results: int) -> int:
    return share(results * hold.unit_price, hold.fee_percent)


def _post(kind: str, hold: Hold, key: str, moves: dict[ledger.Account, int]) -> None:
    about, _, attempt = hold.reference.rpartition(":")
    reference = about if about.startswith("job:") and attempt.isdigit() else hold.reference
    ledger.post(kind, key, moves, reference=reference, user=hold.user, reason=hold.title)
