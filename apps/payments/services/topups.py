"""Buying credits. The page to pay on is the provider's; only its signed event makes credits of it."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.accounts.models import User
from apps.payments import ledger, providers
from apps.payments.models import Account, Dispute, TopUp, Transaction
from apps.payments.providers.base import Provider, ProviderError
from apps.payments.services import debts, keys
from marketplace.api import ApiError, conflict, invalid


def create(user: User, *, credits: int, key: str | None = None, back: str = "") -> TopUp:
    """An open top-up with a page to pay on. The same `key` gives the same one.

    `back`: a path of ours to go on to afterwards; anything else is dropped. 409: `payments_off`,
    `test_money`, `idempotency_key_reused`. 422: `invalid` (credits, key). 502: `payments_unavailable`.
    """
    keys.check(key)
    provider = usable()
    low, high = settings.TOPUP_MIN, settings.TOPUP_MAX
    if not low <= credits <= high:
        text = f"must be between {low:,} and {high:,}"
        raise invalid("invalid", f"A top-up is {low:,} to {high:,} credits.", {"credits": [text]})
    topup = _row(user, credits, provider, key, safe_path(back))
    if not topup.checkout_url:
        _open_checkout(topup, provider)
    return topup


def usable() -> Provider:
    """The provider, if its money may enter this ledger. 409 `payments_off`, `test_money`; 502."""
    try:
        provider = providers.current()
    except ProviderError as error:
        raise ApiError(502, "payments_unavailable", f"{error} Nothing was charged.") from error
    if provider.mode == "live":
        test = Account.objects.filter(kind=Account.Kind.EXTERNAL).exclude(code="external:stripe-live")
        if test.filter(entries__isnull=False).exists():
            text = "This installation holds test credits; real money can't be added to them."
            raise conflict("test_money", f"{text} Nothing was charged.")
    return provider


def safe_path(path: str) -> str:
    """`path` if it leads to a page of ours, else nothing."""
    inside = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if inside and len(path) <= 500 else ""


def _row(user: User, credits: int, provider: Provider, key: str | None, back: str) -> TopUp:
    row = TopUp(
        user=user,
        credits=credits,
        amount=credits * settings.CREDIT_PRICE,
        currency=settings.PAYMENT_CURRENCY,
        provider=provider.name,
        mode=provider.mode,
        key=key,
        back=back,
    )
    if key is None:
        row.save()
        return row
    TopUp.objects.bulk_create([row], ignore_conflicts=True)
    stored = TopUp.objects.get(user=user, key=key)
    if stored.credits != credits:
        raise keys.reused()
    return stored


def _open_checkout(topup: TopUp, provider: Provider) -> None:
    """Outside any transaction: it waits for another server."""
    page = settings.BASE_URL.rstrip("/") + reverse("topup", args=[topup.pk])
    try:
        checkout = provider.checkout(topup, done_url=page, cancel_url=f"{page}?cancelled=1")
    except ProviderError as error:
        text = f"{error} Nothing was charged; try again in a moment."
        raise ApiError(502, "payments_unavailable", text) from error
    topup.session_id, topup.checkout_url = checkout.session_id, checkout.url
    # Only these two: the webhook may have been here already.
    TopUp.objects.filter(pk=topup.pk).update(session_id=checkout.session_id, checkout_url=checkout.url)


def reconcile(topup: TopUp) -> None:
    """Bring the ledger to what the row and its disputes say. Call with the row locked; again changes nothing.

    Saves the row. Order of events does not matter: a refund that came first waits here for the payment.
    """
    if topup.status == TopUp.Status.PAID:
        user = topup.user
        if not topup.granted and user:
            _grant(topup, user)
        if topup.granted:
            difference = _to_take_back(topup) - topup.taken_back
            if difference:
                topup.moves += 1
                topup.taken_back += difference
                (_take if difference > 0 else _restore)(topup, abs(difference))
    topup.save()


def _grant(topup: TopUp, user: User) -> None:
    topup.granted = True
    ledger.post(
        Transaction.Kind.TOPUP,
        f"topup:{topup.pk}:grant",
        {_outside(topup): -topup.credits, ledger.wallet(user): topup.credits},
        reference=f"topup:{topup.pk}",
        user=user,
        external_id=topup.payment_id,
    )
    debts.repay(user)


def _to_take_back(topup: TopUp) -> int:
    """Credits for what was refunded or is disputed, rounded up."""
    disputes = topup.disputes.exclude(status=Dispute.Status.WON)
    disputed: int = disputes.aggregate(sum=Sum("amount"))["sum"] or 0
    amount = min(topup.amount, topup.refunded_amount + disputed)
    return -(-topup.credits * amount // topup.amount)


def _take(topup: TopUp, credits: int) -> None:
    """From the wallet; what it does not hold becomes a debt. Without a person, the platform bears it."""
    moves = {_outside(topup): credits}
    if topup.user:
        wallet = debts.locked_wallet(topup.user)
        there = min(wallet.balance, credits)
        moves |= {wallet: -there, debts.account(topup.user): there - credits}
    else:
        moves |= {ledger.account(Account.Kind.ADJUSTMENTS): -credits}
    _post(Transaction.Kind.CLAWBACK, topup, moves)


def _restore(topup: TopUp, credits: int) -> None:
    """A dispute was won: first against the debt, by `repay`."""
    user = topup.user
    owner = ledger.wallet(user) if user else ledger.account(Account.Kind.ADJUSTMENTS)
    _post(Transaction.Kind.RESTORE, topup, {_outside(topup): -credits, owner: credits})
    if user:
        debts.repay(user)


def _post(kind: str, topup: TopUp, moves: dict[Account, int]) -> None:
    key = f"topup:{topup.pk}:{kind}:{topup.moves}"
    reference = f"topup:{topup.pk}"
    ledger.post(kind, key, moves, reference=reference, user=topup.user, external_id=topup.payment_id)


def _outside(topup: TopUp) -> Account:
    return ledger.external(topup.provider, topup.mode)


@transaction.atomic
def grant(user: User, *, credits: int, key: str, reason: str) -> None:
    """Credits that nobody paid for, said so in the ledger. The same `key` once."""
    moves = {ledger.account(Account.Kind.GRANTS): -credits, ledger.wallet(user): credits}
    reference = f"user:{user.pk}"
    ledger.post(Transaction.Kind.GRANT, key, moves, reference=reference, user=user, reason=reason)
    debts.repay(user)
