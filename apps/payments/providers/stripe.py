"""Stripe: Checkout for top-ups, signed webhooks, Connect transfers for payouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stripe
from django.conf import settings

from apps.accounts.models import User
from apps.payments.models import Payout, TopUp
from apps.payments.providers.base import BadSignature, Checkout, Connected, Provider, ProviderError

SECONDS = 20  # for one call; the library tries twice more when the connection fails
TOLERANCE = 300  # seconds that a signature may be old
_TEMPORARY = (stripe.APIConnectionError, stripe.RateLimitError, stripe.AuthenticationError)


def mode_of(key: str) -> str:
    """test or live, by the key's prefix; empty for anything else."""
    kind, _, rest = key.partition("_")
    mode = rest.partition("_")[0]
    return mode if kind in {"sk", "rk"} and mode in {"test", "live"} else ""


class StripeProvider(Provider):
    name = "stripe"

    def __init__(self) -> None:
        if not self.mode:
            raise ProviderError("STRIPE_SECRET_KEY is no secret key of Stripe.", temporary=True)
        if self.mode == "live" and settings.DEBUG:
            raise ProviderError("A live key of Stripe is never used with DEBUG.", temporary=True)

    @property
    def mode(self) -> str:
        return mode_of(settings.STRIPE_SECRET_KEY)

    def checkout(self, topup: TopUp, *, done_url: str, cancel_url: str) -> Checkout:
        metadata = {"topup": topup.pk}
        product = {"name": f"{topup.credits:,} credits"}
        price = {"currency": topup.currency, "unit_amount": topup.amount, "product_data": product}
        params: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "client_reference_id": topup.pk,
            "metadata": metadata,
            # Charges, and so refunds, carry it too: they may come before the session's own event.
            "payment_intent_data": {"metadata": metadata},
            "success_url": done_url,
            "cancel_url": cancel_url,
        }
        if topup.user:
            params["customer_email"] = topup.user.email
        with _errors():
            session = self._client().v1.checkout.sessions.create(
                params, {"idempotency_key": f"topup-{topup.pk}"}
            )
        return Checkout(session.id, session.url or "")

    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        return verified(body, signature, settings.STRIPE_WEBHOOK_SECRET)

    def connect(self, user: User, account_id: str, return_url: str) -> Connected:
        client = self._client()
        with _errors():
            if account_id:
                account = client.v1.accounts.retrieve(account_id)
            else:
                params: Any = {
                    "type": "express",
                    "email": user.email,
                    "capabilities": {"transfers": {"requested": True}},
                    "metadata": {"user": user.pk},
                }
                account = client.v1.accounts.create(params, {"idempotency_key": f"account-{user.pk}"})
            capabilities = account.capabilities
            if capabilities and getattr(capabilities, "transfers", None) == "active":
                return Connected(account.id, True, "")
            link = client.v1.account_links.create(
                {
                    "account": account.id,
                    "type": "account_onboarding",
                    "refresh_url": return_url,
                    "return_url": return_url,
                }
            )
        return Connected(account.id, False, link.url)

    def transfer(self, payout: Payout) -> str:
        params: Any = {
            "amount": payout.amount,
            "currency": payout.currency,
            "destination": payout.destination,
            "transfer_group": payout.pk,
            "metadata": {"payout": payout.pk},
        }
        with _errors():
            return self._client().v1.transfers.create(params, {"idempotency_key": f"payout-{payout.pk}"}).id

    def _client(self) -> stripe.StripeClient:
        return stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            max_network_retries=2,
            http_client=stripe.RequestsClient(timeout=SECONDS),
        )


def verified(body: bytes, signature: str, secret: str) -> dict[str, Any]:
    """The event in `body` if `signature` (the header Stripe-Signature) fits. BadSignature."""
    if not secret:
        raise BadSignature("there is no webhook secret")
    try:
        text = body.decode()
        stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE)
        event = json.loads(text)
    except (stripe.SignatureVerificationError, ValueError, RecursionError) as error:
        raise BadSignature(str(error)) from error
    if not isinstance(event, dict):
        raise BadSignature("the body is no event")
    return event


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _TEMPORARY as error:
        raise ProviderError("Stripe does not answer.", temporary=True) from error
    except stripe.StripeError as error:
        temporary = (error.http_status or 500) >= 500 or error.http_status == 409
        raise ProviderError(error.user_message or "Stripe refused it.", temporary=temporary) from error
