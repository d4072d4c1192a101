"""What the provider tells us. A signed body is stored as it came, then handled once.

    receive ──► signature ──► row (committed) ──► handle (one transaction) ──► done | ignored | refused
                                                      └── an error of ours ──► failed, 503, delivered again

Handlers write down what an event says about a top-up or a payout and let `reconcile` do the rest, so events
may come late, twice, or in any order. What belongs to nothing that we know is kept as ignored, and handled
when the top-up it belongs to turns up.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.payments import locks, providers
from apps.payments.models import Dispute, PayoutAccount, ProviderEvent, TopUp
from apps.payments.providers.base import BadSignature, Provider, ProviderError
from apps.payments.services import payouts, topups
from marketplace.api import ApiError

log = logging.getLogger(__name__)

Outcome = ProviderEvent.Outcome
Answer = tuple[str, str]  # outcome, note
DONE: Answer = (Outcome.DONE, "")
_LIMIT = 500_000  # bytes; Stripe's events are a few kB


def receive(body: bytes, signature: str) -> ProviderEvent:
    """400 `bad_signature`, 409 `payments_off`, 413 `too_large`, 503 `not_handled`: deliver it again."""
    if len(body) > _LIMIT:
        raise ApiError(413, "too_large", "The event is too large.")
    try:
        provider = providers.current()
        event = provider.event(body, signature)
    except (BadSignature, ProviderError) as error:
        log.warning("a webhook was refused: %s", error)
        raise ApiError(400, "bad_signature", "The body is not signed for this installation.") from error
    row = _store(provider, event, body)
    _handle_once(row, provider)
    return row


def _store(provider: Provider, event: dict[str, Any], body: bytes) -> ProviderEvent:
    """Committed before anything else happens."""
    event_id, obj = str(event.get("id", ""))[:120], _object(event)
    row = ProviderEvent(
        provider=provider.name,
        event_id=event_id,
        kind=str(event.get("type", ""))[:80],
        live=bool(event.get("livemode")),
        body=body.decode(),
        payment_id=str(obj.get("payment_intent") or "")[:120],
    )
    ProviderEvent.objects.bulk_create([row], ignore_conflicts=True)
    stored = ProviderEvent.objects.filter(provider=provider.name, event_id=event_id)
    stored.update(deliveries=F("deliveries") + 1)
    return stored.get()


def _handle_once(row: ProviderEvent, provider: Provider) -> None:
    try:
        with transaction.atomic():
            locked = locks.row(ProviderEvent, pk=row.pk)
            if locked is None or locked.processed:
                return
            _finish(locked, _handle(locked, provider))
    except Exception as error:
        log.exception("event %s could not be handled", row.event_id)
        note = f"{type(error).__name__}: {error}"[:300]
        ProviderEvent.objects.filter(pk=row.pk, processed=None).update(outcome=Outcome.FAILED, note=note)
        raise ApiError(503, "not_handled", "The event is kept; deliver it again.") from error


def _finish(row: ProviderEvent, answer: Answer) -> None:
    row.outcome, row.note = answer[0], answer[1][:300]
    row.processed = timezone.now()
    row.save(update_fields=["outcome", "note", "processed"])
    if row.outcome == Outcome.REFUSED:
        log.error("event %s was refused: %s", row.event_id, row.note)


def _handle(row: ProviderEvent, provider: Provider) -> Answer:
    if row.live != (provider.mode == "live"):
        return Outcome.IGNORED, f"{'live' if row.live else 'test'} money, and this is {provider.mode}"
    handler = _HANDLERS.get(row.kind)
    if handler is None:
        return Outcome.IGNORED, "not a kind that matters here"
    return handler(_object(json.loads(row.body)), provider)


def _object(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    obj = data.get("object") if isinstance(data, dict) else None
    return obj if isinstance(obj, dict) else {}


# --- Checkout sessions ---------------------------------------------------------------------------------


def _session_paid(session: dict[str, Any], provider: Provider) -> Answer:
    topup = _of_session(session)
    if topup is None:
        return Outcome.IGNORED, "no top-up has this session"
    if wrong := _mismatch(topup, session, provider):
        return Outcome.REFUSED, wrong
    if session.get("payment_status") == "unpaid":
        return Outcome.DONE, "the payment is still on its way"
    if session.get("payment_status") != "paid":
        return Outcome.REFUSED, f"payment_status is {session.get('payment_status')}"
    if topup.user is None:
        return Outcome.REFUSED, "the account is gone: refund this payment"
    if topup.status != TopUp.Status.PAID:
        topup.status, topup.paid_at = TopUp.Status.PAID, timezone.now()
    topup.session_id = topup.session_id or str(session.get("id"))
    topup.payment_id = topup.payment_id or str(session.get("payment_intent") or "")
    topups.reconcile(topup)
    _catch_up(topup, provider)
    return DONE


def _session_failed(session: dict[str, Any], provider: Provider) -> Answer:
    return _session_ended(session, TopUp.Status.FAILED)


def _session_expired(session: dict[str, Any], provider: Provider) -> Answer:
    return _session_ended(session, TopUp.Status.EXPIRED)


def _session_ended(session: dict[str, Any], status: str) -> Answer:
    topup = _of_session(session)
    if topup is None:
        return Outcome.IGNORED, "no top-up has this session"
    if topup.status != TopUp.Status.OPEN:
        return Outcome.DONE, f"it was {topup.status} already"
    topup.status = status
    topup.save(update_fields=["status"])
    return DONE


def _of_session(session: dict[str, Any]) -> TopUp | None:
    topup = locks.row(TopUp, pk=str(session.get("client_reference_id") or ""))
    if topup and topup.session_id not in (None, session.get("id")):
        return None  # another session that names our top-up: not the page that we opened
    return topup


def _mismatch(topup: TopUp, session: dict[str, Any], provider: Provider) -> str:
    """What of a paid session is not as we asked for; empty when all is."""
    if (topup.provider, topup.mode) != (provider.name, provider.mode):
        return f"the top-up was opened at {topup.provider} ({topup.mode})"
    if session.get("amount_total") != topup.amount:
        return f"amount {session.get('amount_total')} instead of {topup.amount}"
    if str(session.get("currency", "")).lower() != topup.currency:
        return f"currency {session.get('currency')} instead of {topup.currency}"
    return ""


def _catch_up(topup: TopUp, provider: Provider) -> None:
    """Handle what came before we knew that this payment is ours."""
    if not topup.payment_id:
        return
    early = ProviderEvent.objects.filter(payment_id=topup.payment_id, outcome=Outcome.IGNORED)
    for row in early.filter(provider=provider.name).order_by("id"):
        _finish(row, _handle(row, provider))


# --- Charges and disputes ------------------------------------------------------------------------------


def _charge_succeeded(charge: dict[str, Any], provider: Provider) -> Answer:
    topup = _of_payment(charge)
    if topup is None:
        return Outcome.IGNORED, "no top-up has this payment"
    url = str(charge.get("receipt_url") or "")
    topup.receipt_url = url if url.startswith("https://") else ""
    topup.save(update_fields=["receipt_url"])
    return DONE


def _charge_refunded(charge: dict[str, Any], provider: Provider) -> Answer:
    topup = _of_payment(charge)
    if topup is None:
        return Outcome.IGNORED, "no top-up has this payment"
    amount, currency = charge.get("amount_refunded"), str(charge.get("currency", "")).lower()
    if not isinstance(amount, int) or amount < 0 or currency != topup.currency:
        return Outcome.REFUSED, f"a refund of {amount} {currency}"
    # Altogether, not this time: the largest that was ever said counts.
    topup.refunded_amount = max(topup.refunded_amount, min(amount, topup.amount))
    topups.reconcile(topup)
    return DONE


def _dispute(dispute: dict[str, Any], provider: Provider) -> Answer:
    status = str(dispute.get("status", ""))
    if status.startswith("warning"):
        return Outcome.IGNORED, "an inquiry: no money moved"
    topup = _of_payment(dispute)
    if topup is None:
        return Outcome.IGNORED, "no top-up has this payment"
    amount, currency = dispute.get("amount"), str(dispute.get("currency", "")).lower()
    if not isinstance(amount, int) or amount < 0 or currency != topup.currency:
        return Outcome.REFUSED, f"a dispute about {amount} {currency}"
    final = {"won": Dispute.Status.WON, "lost": Dispute.Status.LOST}.get(status)
    row, _ = Dispute.objects.get_or_create(
        dispute_id=str(dispute.get("id"))[:120], defaults={"topup": topup, "amount": amount}
    )
    if row.status == Dispute.Status.OPEN:  # once won or lost, what comes late changes nothing
        row.status, row.amount = final or Dispute.Status.OPEN, amount
        row.save(update_fields=["status", "amount"])
    topups.reconcile(topup)
    return DONE


def _of_payment(obj: dict[str, Any]) -> TopUp | None:
    """By the id that we gave the payment, or by the payment's own."""
    metadata = obj.get("metadata")
    named = str(metadata.get("topup") or "") if isinstance(metadata, dict) else ""
    payment = str(obj.get("payment_intent") or "")
    topup = locks.row(TopUp, pk=named) if named else None
    if topup is None and payment:
        topup = locks.row(TopUp, payment_id=payment)
    if topup and topup.payment_id and payment and topup.payment_id != payment:
        return None
    return topup


# --- Payouts -------------------------------------------------------------------------------------------


def _transfer_reversed(transfer: dict[str, Any], provider: Provider) -> Answer:
    known = payouts.reversed_by_provider(str(transfer.get("id") or ""))
    return DONE if known else (Outcome.IGNORED, "no payout has this transfer")


def _account_updated(account: dict[str, Any], provider: Provider) -> Answer:
    capabilities = account.get("capabilities")
    ready = isinstance(capabilities, dict) and capabilities.get("transfers") == "active"
    rows = PayoutAccount.objects.filter(provider=provider.name, account_id=str(account.get("id") or ""))
    return DONE if rows.update(ready=ready) else (Outcome.IGNORED, "nobody's account")


_HANDLERS: dict[str, Callable[[dict[str, Any], Provider], Answer]] = {
    "checkout.session.completed": _session_paid,
    "checkout.session.async_payment_succeeded": _session_paid,
    "checkout.session.async_payment_failed": _session_failed,
    "checkout.session.expired": _session_expired,
    "charge.succeeded": _charge_succeeded,
    "charge.updated": _charge_succeeded,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "transfer.reversed": _transfer_reversed,
    "account.updated": _account_updated,
}
