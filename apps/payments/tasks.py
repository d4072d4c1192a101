"""Background work of money. It can run twice at once and be cut off at any time."""

from __future__ import annotations

from celery import shared_task

from apps.payments.services import payouts


@shared_task(name="payments.send_payout")
def send_payout(payout_id: str) -> None:
    payouts.send(payout_id)
