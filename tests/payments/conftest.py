"""Wallets with credits, listings for sale, and a payment provider that signs what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from apps.accounts.models import User
from apps.catalog.models import Listing, Version
from apps.payments import audit
from apps.payments.models import TopUp
from apps.payments.providers import sandbox
from apps.payments.services import topups
from marketplace.ids import new_id

STRIPE_SECRET = "whsec_test_0123456789"


def credit(user: User, credits: int) -> None:
    """Credits in the wallet, by a grant."""
    topups.grant(user, credits=credits, key=f"test:{new_id()}", reason="for a test")


def make_listing(seller: User, price: int = 100, price_per_image: int = 0, **fields: Any) -> Listing:
    """A published listing with one ready version."""
    listing = Listing.objects.create(
        seller=seller,
        title=fields.pop("title", "Boats"),
        kind="detection",
        family="yolov5",
        price=price,
        price_per_image=price_per_image,
        **fields,
    )
    listing.current_version = Version.objects.create(
        listing=listing,
        number=1,
        status="ready",
        upload_id=new_id(),
        file_name="boats.onnx",
        bytes=1,
        upload_sha256="0" * 64,
        weights_sha256="1" * 64,
    )
    listing.status, listing.published_at = "published", listing.created
    listing.save()
    return listing


@pytest.fixture(autouse=True)
def _provider(settings):
    settings.PAYMENTS, settings.SANDBOX_ALLOWED = "sandbox", True
    settings.PLATFORM_FEE_PERCENT = 15


@pytest.fixture(autouse=True)
def _ledger_is_right(request):
    """After every test with a database: the audit finds nothing, unless the test spoils it on purpose."""
    with_database = "db" in request.fixturenames
    if with_database:
        request.getfixturevalue("db")  # before this one, so that it is there after the test
    yield
    if with_database and "spoilt" not in request.keywords:
        assert list(audit.findings()) == []


@pytest.fixture
def open_topup(alice) -> TopUp:
    return topups.create(alice, credits=1000)


Send = Callable[..., Any]


@pytest.fixture
def send(client) -> Send:
    """Call the webhook with an event; signed for the sandbox unless told otherwise."""

    def call(event: dict[str, Any], secret: str | None = None, timestamp: int | None = None) -> Any:
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(
            body, secret or sandbox.secret(), timestamp
        )
        return client.post(
            "/api/v1/stripe/webhook",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )

    return call
