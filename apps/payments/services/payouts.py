"""Earnings to the seller's bank, through the provider.

    request: earnings → transit, a row        send: the provider's transfer, then transit → outside
                                              refused: transit → earnings, with the reason

`send` may run any number of times and be cut off anywhere: the provider knows the payout by its id and
sends it once. It is asked for when the payout is made, and again by the controller's chore until there is an
answer.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.payments import ledger, locks
from apps.payments.models import Account, Payout, PayoutAccount, PayoutStep, Transaction
from apps.payments.providers.base import Connected, ProviderError
from apps.payments.services import debts, keys, topups
from marketplace.api import ApiError, conflict, invalid

log = logging.getLogger(__name__)
Status = Payout.Status
_FORGOTTEN = timedelta(minutes=1)


def connect(user: User, return_url: str) -> Connected:
    """The seller's account at the provider; `url` is where to fill in what is missing. 409, 502."""
    provider = topups.usable()
    row = PayoutAccount.objects.filter(user=user, provider=provider.name).first()
    try:
        connected = provider.connect(user, row.account_id if row else "", return_url)
    except ProviderError as error:
        raise ApiError(502, "payments_unavailable", f"{error} Nothing was changed.") from error
    values = {
        "provider": provider.name,
        "account_id": connected.account_id,
        "ready": connected.ready,
    }
    PayoutAccount.objects.update_or_create(user=user, defaults=values)
    return connected


def request(user: User, *, credits: int, key: str | None = None) -> Payout:
    """Ask for earnings to be paid out. The same `key` asks once.

    409: `in_debt`, `no_payout_account`, `insufficient_credits`, `idempotency_key_reused`, `payments_off`.
    422: `invalid`.
    """
    keys.check(key)
    provider = topups.usable()
    if credits < settings.PAYOUT_MIN:
        text = f"must be at least {settings.PAYOUT_MIN:,}"
        message = f"A payout is at least {settings.PAYOUT_MIN:,} credits."
        raise invalid("invalid", message, {"credits": [text]})
    with transaction.atomic():
        account = locks.row(PayoutAccount, user=user, provider=provider.name)
        if account is None or not account.ready:
            raise conflict("no_payout_account", "Connect an account for payouts first.")
        if key and (earlier := Payout.objects.filter(seller=user, key=key).first()):
            if earlier.credits != credits:
                raise keys.reused()
            return earlier
        debts.refuse_if_any(user)
        payout = Payout.objects.create(
            seller=user,
            credits=credits,
            amount=credits * settings.CREDIT_PRICE,
            currency=settings.PAYMENT_CURRENCY,
            provider=provider.name,
            mode=provider.mode,
            destination=account.account_id,
            key=key,
        )
        _note(payout, Status.REQUESTED)
        moves = {ledger.earnings(user): -credits, ledger.account(Account.Kind.TRANSIT, user): credits}
        _post(Transaction.Kind.PAYOUT, payout, moves)
        transaction.on_commit(lambda: _ask(payout.pk))
    return payout


def _ask(payout_id: str) -> None:
    from apps.payments.tasks import send_payout

    try:
        send_payout.apply_async((payout_id,), retry=False)
    except Exception:  # no broker: the controller's chore sends it
        log.warning("payout %s waits for the controller: no broker", payout_id)


def send(payout_id: str) -> None:
    """Do what is left to do about a payout. Harmless for one that has ended."""
    payout = Payout.objects.filter(pk=payout_id, status=Status.REQUESTED).first()
    if payout is None:
        return
    try:
        provider = topups.usable()
        if (provider.name, provider.mode) != (payout.provider, payout.mode):
            raise ProviderError("The payment provider was changed.", temporary=False)
        transfer = provider.transfer(payout)
    except ApiError as error:
        log.warning("payout %s waits: %s", payout_id, error.message)
    except ProviderError as error:
        if error.temporary:
            log.warning("payout %s waits: %s", payout_id, error)
            return
        _end(payout_id, Status.FAILED, reason=str(error))
    else:
        _end(payout_id, Status.PAID, transfer=transfer)


def send_waiting() -> None:
    """Those that were asked for a while ago and have no answer."""
    old = Payout.objects.filter(status=Status.REQUESTED, created__lt=timezone.now() - _FORGOTTEN)
    for payout_id in old.order_by("created").values_list("pk", flat=True)[:50]:
        send(payout_id)


@transaction.atomic
def reversed_by_provider(transfer_id: str) -> bool:
    """The provider took a transfer back: the seller has the earnings again. False for an unknown one."""
    payout = locks.row(Payout, transfer_id=transfer_id) if transfer_id else None
    if payout is None:
        return False
    if payout.status == Status.PAID:
        moves = {
            ledger.external(payout.provider, payout.mode): -payout.credits,
            _owner(payout): payout.credits,
        }
        _change(payout, Status.FAILED, "The transfer was taken back.")
        _post(Transaction.Kind.PAYOUT_FAILED, payout, moves)
    return True


@transaction.atomic
def _end(payout_id: str, status: str, *, reason: str = "", transfer: str = "") -> None:
    payout = locks.row(Payout, pk=payout_id, status=Status.REQUESTED)
    if payout is None:
        return  # another one was faster
    payout.transfer_id = transfer
    _change(payout, status, reason)
    paid = status == Status.PAID
    target = ledger.external(payout.provider, payout.mode) if paid else _owner(payout)
    moves = {_transit(payout): -payout.credits, target: payout.credits}
    _post(Transaction.Kind.PAYOUT_PAID if paid else Transaction.Kind.PAYOUT_FAILED, payout, moves)


def _transit(payout: Payout) -> Account:
    """Found by its entry: it stays the same should the seller's account be deleted meanwhile."""
    return Account.objects.get(
        kind=Account.Kind.TRANSIT, entries__transaction__key=f"payout:{payout.pk}:payout"
    )


def _owner(payout: Payout) -> Account:
    return ledger.earnings(payout.seller) if payout.seller else ledger.fees()


def _change(payout: Payout, status: str, reason: str) -> None:
    payout.status = status
    payout.save(update_fields=["status", "transfer_id"])
    _note(payout, status, reason)


def _note(payout: Payout, status: str, reason: str = "") -> None:
    PayoutStep.objects.create(payout=payout, status=status, reason=reason[:300])


def _post(kind: str, payout: Payout, moves: dict[Account, int]) -> None:
    ledger.post(
        kind,
        f"payout:{payout.pk}:{kind}",
        moves,
        reference=f"payout:{payout.pk}",
        user=payout.seller,
        external_id=payout.transfer_id,
    )


@transaction.atomic
def to_wallet(user: User, *, credits: int, key: str) -> None:
    """Spend earnings here instead: earnings → wallet, once for a `key`. Debts are repaid by it. 409
    `insufficient_credits`, `idempotency_key_reused`. 422 `invalid`."""
    keys.check(key)
    if credits < 1:
        raise invalid("invalid", "At least 1 credit.", {"credits": ["must be at least 1"]})
    wallet, reference = ledger.wallet(user), f"user:{user.pk}"
    moves = {ledger.earnings(user): -credits, wallet: credits}
    name = f"transfer:{user.pk}:{key}"
    posted = ledger.post(Transaction.Kind.TRANSFER, name, moves, reference=reference, user=user)
    keys.same(posted, wallet, credits)
    debts.repay(user)
