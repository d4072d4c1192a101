"""Test money. It behaves like Stripe to the rest of the code: a page to pay on, and events in Stripe's form,
signed as Stripe signs them, that come in through our own webhook over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import stripe
from django.conf import settings
from django.urls import reverse

from apps.accounts.models import User
from apps.payments.models import Payout, TopUp
from apps.payments.providers.base import Checkout, Connected, Provider, ProviderError
from apps.payments.providers.stripe import verified

SECONDS = 10
PREFIX = "cs_sandbox_"

transport: httpx.BaseTransport | None = None  # tests put a WSGI transport here; None: the network


class SandboxProvider(Provider):
    name = "sandbox"
    mode = "sandbox"

    def checkout(self, topup: TopUp, *, done_url: str, cancel_url: str) -> Checkout:
        return Checkout(PREFIX + topup.pk, reverse("sandbox-checkout", args=[topup.pk]))

    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        return verified(body, signature, secret())

    def connect(self, user: User, account_id: str, return_url: str) -> Connected:
        return Connected(account_id or f"acct_sandbox_{user.pk}", True, "")

    def transfer(self, payout: Payout) -> str:
        return f"tr_sandbox_{payout.pk}"


def secret() -> str:
    """Of this installation: signed with another one's, nothing is accepted."""
    mac = hmac.new(settings.SECRET_KEY.encode(), b"payments sandbox webhook", hashlib.sha256)
    return "whsec_sandbox_" + mac.hexdigest()


def deliver(event: dict[str, Any]) -> None:
    """Call our own webhook, as the provider would. ProviderError unless it answers 200."""
    body = json.dumps(event)
    headers = {
        "Content-Type": "application/json",
        "Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body, secret()),
    }
    url = settings.BASE_URL.rstrip("/") + reverse("api-stripe-webhook")
    try:
        with httpx.Client(transport=transport, timeout=SECONDS, trust_env=False) as client:
            status = client.post(url, content=body, headers=headers).status_code
    except httpx.HTTPError as error:
        raise ProviderError("The webhook could not be reached.", temporary=True) from error
    if status != httpx.codes.OK:
        raise ProviderError(f"The webhook answered {status}.", temporary=True)


def _event(event_id: str, kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_sandbox_{event_id}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": obj},
    }


def session_event(topup: TopUp, kind: str = "completed", payment_status: str = "paid") -> dict[str, Any]:
    """checkout.session.<kind>. The same top-up gives the same event id: paying twice is one event."""
    session = {
        "id": topup.session_id,
        "object": "checkout.session",
        "client_reference_id": topup.pk,
        "metadata": {"topup": topup.pk},
        "amount_total": topup.amount,
        "currency": topup.currency,
        "payment_intent": f"pi_sandbox_{topup.pk}",
        "payment_status": payment_status,
        "livemode": False,
    }
    return _event(f"{kind}_{topup.pk}", f"checkout.session.{kind}", session)


def refund_event(topup: TopUp, amount: int) -> dict[str, Any]:
    """charge.refunded. `amount` is what was refunded altogether."""
    charge = {
        "id": f"ch_sandbox_{topup.pk}",
        "object": "charge",
        "payment_intent": f"pi_sandbox_{topup.pk}",
        "metadata": {"topup": topup.pk},
        "amount": topup.amount,
        "amount_refunded": amount,
        "currency": topup.currency,
    }
    return _event(f"refund_{topup.pk}_{amount}", "charge.refunded", charge)


def dispute_event(topup: TopUp, kind: str, status: str) -> dict[str, Any]:
    """charge.dispute.created or charge.dispute.closed (`status` won or lost)."""
    dispute = {
        "id": f"dp_sandbox_{topup.pk}",
        "object": "dispute",
        "payment_intent": f"pi_sandbox_{topup.pk}",
        "amount": topup.amount,
        "currency": topup.currency,
        "status": status,
    }
    return _event(f"dispute_{kind}_{topup.pk}", f"charge.dispute.{kind}", dispute)
