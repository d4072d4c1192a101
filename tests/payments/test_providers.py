"""Both providers are held to one contract; Stripe through its own library, over a socket, to a local one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from apps.payments import ledger, providers
from apps.payments.models import Payout, PayoutAccount, ProviderEvent, TopUp
from apps.payments.providers import sandbox
from apps.payments.providers.base import BadSignature, ProviderError
from apps.payments.providers.stripe import StripeProvider, mode_of
from apps.payments.services import payouts, topups
from marketplace.api import ApiError
from tests.payments.conftest import STRIPE_SECRET, credit, make_listing
from tests.payments.fake_stripe import FakeStripe, serve


@pytest.fixture
def fake(settings) -> Iterator[FakeStripe]:
    with serve() as server:
        settings.PAYMENTS = "stripe"
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_fake", STRIPE_SECRET
        settings.STRIPE_API_BASE = server.url
        yield server


@pytest.fixture(params=["sandbox", "stripe"])
def provider(request):
    """Each in turn, and the secret that its events are signed with."""
    if request.param == "stripe":
        request.getfixturevalue("fake").capability = "active"
        return providers.current(), STRIPE_SECRET
    return providers.current(), sandbox.secret()


def _topup(user, provider) -> TopUp:
    values = {"credits": 700, "amount": 700, "currency": "eur"}
    return TopUp.objects.create(user=user, provider=provider.name, mode=provider.mode, **values)


# --- The contract --------------------------------------------------------------------------------------


def test_it_says_what_money_it_moves(provider):
    assert provider[0].mode in {"sandbox", "test", "live"}
    assert provider[0].name in {"sandbox", "stripe"}


def test_a_checkout_has_a_page_and_an_id_and_is_the_same_again(provider, alice):
    topup = _topup(alice, provider[0])
    urls = {"done_url": "http://localhost/done", "cancel_url": "http://localhost/cancel"}
    first, again = (provider[0].checkout(topup, **urls) for _ in range(2))
    assert first == again
    assert first.session_id
    assert first.url.startswith(("/", "https://"))


def test_an_event_is_taken_only_with_a_fresh_signature_of_ours(provider):
    one, secret = provider
    body = json.dumps({"id": "evt_1", "object": "event"})

    def signed(with_secret: str, at: int | None = None) -> str:
        return stripe.WebhookSignature.generate_signature_header(body, with_secret, at)

    assert one.event(body.encode(), signed(secret))["id"] == "evt_1"
    for wrong in (signed("whsec_other"), signed(secret, int(time.time()) - 400), "", "t=1"):
        with pytest.raises(BadSignature):
            one.event(body.encode(), wrong)
    with pytest.raises(BadSignature):
        one.event(body.encode() + b" ", signed(secret))
    for broken in ("[]", "no json", "[" * 100_000):
        signature = stripe.WebhookSignature.generate_signature_header(broken, secret)
        with pytest.raises(BadSignature):
            one.event(broken.encode(), signature)
    with pytest.raises(BadSignature):
        one.event(b"\xff", signed(secret))


def test_a_seller_is_connected_and_stays_the_same(provider, bob):
    first = provider[0].connect(bob, "", "http://localhost/wallet/earnings/")
    again = provider[0].connect(bob, first.account_id, "http://localhost/wallet/earnings/")
    assert first == again
    assert (first.ready, first.url) == (True, "")


def test_a_payout_is_sent_once(provider, bob):
    payout = Payout.objects.create(
        seller=bob, credits=2000, amount=2000, currency="eur", provider=provider[0].name, destination="acct_1"
    )
    assert provider[0].transfer(payout) == provider[0].transfer(payout)


# --- Stripe, as a whole --------------------------------------------------------------------------------


def _session(topup: TopUp, **changes: Any) -> dict[str, Any]:
    session = {
        "id": topup.session_id,
        "client_reference_id": topup.pk,
        "amount_total": topup.amount,
        "currency": "eur",
        "payment_intent": "pi_1",
        "payment_status": "paid",
        **changes,
    }
    return {
        "id": f"evt_{topup.pk}",
        "object": "event",
        "type": "checkout.session.completed",
        "livemode": False,
        "data": {"object": session},
    }


def test_a_topup_goes_through_checkout_and_the_signed_webhook(fake, alice, alice_api, send):
    answer = alice_api.post("/api/v1/topups", {"credits": 700}, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 201
    assert answer.json()["checkout_url"] == "https://checkout.stripe.com/c/pay/cs_test_1"
    method, path, body, headers = fake.calls[0]
    topup = TopUp.objects.get()
    assert (method, path, headers["idempotency-key"]) == (
        "POST",
        "/v1/checkout/sessions",
        f"topup-{topup.pk}",
    )
    assert body["client_reference_id"] == body["payment_intent_data[metadata][topup]"] == topup.pk
    assert body["line_items[0][price_data][unit_amount]"] == "700"
    assert body["line_items[0][price_data][currency]"] == "eur"
    assert body["customer_email"] == alice.email
    assert (topup.provider, topup.mode, topup.session_id) == ("stripe", "test", "cs_test_1")

    assert send(_session(topup), secret=sandbox.secret()).status_code == 400
    assert ledger.balance("wallet", alice) == 0
    assert send(_session(topup), secret=STRIPE_SECRET).status_code == 200
    assert ledger.balance("wallet", alice) == 700
    assert ledger.external("stripe", "test").balance == -700


def test_the_receipt_of_stripe_is_kept(fake, alice, send):
    topup = topups.create(alice, credits=700)
    charge = {"payment_intent": "pi_1", "metadata": {"topup": topup.pk}}
    for number, url in enumerate(("https://pay.stripe.com/receipts/1", "javascript:alert(1)")):
        event = {
            "id": f"evt_{number}",
            "type": "charge.succeeded",
            "livemode": False,
            "data": {"object": {**charge, "receipt_url": url}},
        }
        send(event, secret=STRIPE_SECRET)
        topup.refresh_from_db()
        assert topup.receipt_url == (url if number == 0 else "")


def test_the_form_may_lead_to_stripe(fake, alice_web):
    page = alice_web.get("/wallet/top-up/")
    assert "https://checkout.stripe.com" in page.headers["Content-Security-Policy"]
    answer = alice_web.post("/wallet/top-up/", {"credits": "700"})
    assert answer.headers["Location"].startswith("https://checkout.stripe.com/")


@pytest.mark.parametrize("status", [500, 429])
def test_stripe_that_does_not_answer_is_502_and_the_key_goes_on_later(fake, alice, alice_api, status):
    fake.failures = [(status, {"error": {"type": "api_error", "message": "busy"}})] * 3
    call = {"path": "/api/v1/topups", "data": {"credits": 700}, "headers": {"Idempotency-Key": "k"}}
    failed = alice_api.post(**call)
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "payments_unavailable")
    fake.failures = []
    assert alice_api.post(**call).status_code == 201
    assert TopUp.objects.count() == 1


def test_nobody_listens_there(alice, settings, fake):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(ApiError) as refusal:
        topups.create(alice, credits=700)
    assert refusal.value.code == "payments_unavailable"


def _earn(seller, buyer, price):
    from apps.payments.services.purchases import purchase

    credit(buyer, price)
    purchase(buyer, make_listing(seller, price).pk)


def test_a_payout_is_transferred_to_the_connected_account(
    fake, alice, bob, bob_api, django_capture_on_commit_callbacks, send
):
    _earn(bob, alice, 4000)
    first = payouts.connect(bob, "http://localhost/")
    assert (first.ready, first.url) == (False, "https://connect.stripe.com/setup/2")
    with pytest.raises(ApiError, match="Connect an account"):
        payouts.request(bob, credits=3000)
    updated = {
        "id": "evt_account",
        "type": "account.updated",
        "livemode": False,
        "data": {"object": {"id": first.account_id, "capabilities": {"transfers": "active"}}},
    }
    send(updated, secret=STRIPE_SECRET)
    assert PayoutAccount.objects.get().ready

    payout = payouts.request(bob, credits=3000, key="k")
    assert (ledger.balance("earnings", bob), ledger.balance("transit", bob)) == (400, 3000)
    for _ in range(2):
        payouts.send(payout.pk)

    transfers = [body for _, path, body, _ in fake.calls if path == "/v1/transfers"]
    assert len(transfers) == 1
    assert transfers[0]["amount"] == "3000"
    assert transfers[0]["destination"] == first.account_id
    payout.refresh_from_db()
    assert (payout.status, ledger.balance("transit", bob)) == ("paid", 0)
    steps = bob_api.get("/api/v1/payouts").json()["items"][0]["steps"]
    assert [step["status"] for step in steps] == ["requested", "paid"]

    taken_back = {
        "id": "evt_reversed",
        "type": "transfer.reversed",
        "livemode": False,
        "data": {"object": {"id": payout.transfer_id}},
    }
    for _ in range(2):
        send(taken_back, secret=STRIPE_SECRET)
    assert ledger.balance("earnings", bob) == 3400
    payout.refresh_from_db()
    assert payout.status == "failed"


def test_a_refused_payout_gives_the_earnings_back_and_a_silent_one_waits(fake, alice, bob):
    fake.capability = "active"
    _earn(bob, alice, 4000)
    payouts.connect(bob, "http://localhost/")
    payout = payouts.request(bob, credits=3000)

    fake.failures = [(500, {"error": {"type": "api_error", "message": "busy"}})] * 3
    payouts.send(payout.pk)
    payout.refresh_from_db()
    assert (payout.status, ledger.balance("transit", bob)) == ("requested", 3000)

    message = "Insufficient funds in your Stripe account."
    fake.failures = [(400, {"error": {"type": "invalid_request_error", "message": message}})]
    payouts.send(payout.pk)

    payout.refresh_from_db()
    assert payout.status == "failed"
    assert [step.reason for step in payout.steps.order_by("id")] == ["", message]
    assert (ledger.balance("earnings", bob), ledger.balance("transit", bob)) == (3400, 0)


def test_a_payout_without_a_broker_is_sent_by_the_chore(alice, bob):
    _earn(bob, alice, 4000)
    payouts.connect(bob, "http://localhost/")
    payout = payouts.request(bob, credits=3000)
    payouts.send_waiting()
    assert Payout.objects.get().status == "requested"
    Payout.objects.update(created="2026-01-01T00:00:00Z")
    payouts.send_waiting()
    payout.refresh_from_db()
    assert payout.status == "paid"


@pytest.mark.parametrize(
    ("credits", "code"), [(1999, "invalid"), (5000, "insufficient_credits"), (0, "invalid")]
)
def test_a_payout_that_can_not_be_made_changes_nothing(alice, bob, credits, code):
    _earn(bob, alice, 4000)
    payouts.connect(bob, "http://localhost/")
    with pytest.raises(ApiError) as refusal:
        payouts.request(bob, credits=credits)
    assert refusal.value.code == code
    assert Payout.objects.count() == 0
    assert ledger.balance("earnings", bob) == 3400


def test_earnings_can_be_spent_here(alice, bob):
    _earn(bob, alice, 1000)
    for _ in range(2):
        payouts.to_wallet(bob, credits=300, key="k")
    assert (ledger.balance("earnings", bob), ledger.balance("wallet", bob)) == (550, 300)


# --- Keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("sk_test_1", "test"),
        ("rk_test_1", "test"),
        ("sk_live_1", "live"),
        ("rk_live_1", "live"),
        ("pk_live_1", ""),
        ("sk_other_1", ""),
        ("", ""),
    ],
)
def test_test_and_live_are_told_apart(key, mode):
    assert mode_of(key) == mode


def test_a_live_key_is_refused_with_debug_at_every_use(settings, alice):
    settings.PAYMENTS, settings.STRIPE_SECRET_KEY, settings.DEBUG = "stripe", "sk_live_1", True
    with pytest.raises(ProviderError, match="never used with DEBUG"):
        StripeProvider()
    with pytest.raises(ApiError, match="never used with DEBUG"):
        topups.create(alice, credits=700)


def test_real_money_never_joins_test_money(settings, alice, fake, send):
    topup = topups.create(alice, credits=700)
    send(_session(topup), secret=STRIPE_SECRET)
    settings.STRIPE_SECRET_KEY = "sk_live_1"
    with pytest.raises(ApiError) as refusal:
        topups.create(alice, credits=700)
    assert refusal.value.code == "test_money"
    assert len(fake.calls) == 1


def test_a_live_installation_takes_no_test_event(settings, alice, fake, send):
    topup = topups.create(alice, credits=700)
    settings.STRIPE_SECRET_KEY = "sk_live_1"
    send(_session(topup), secret=STRIPE_SECRET)
    assert ProviderEvent.objects.get().note == "test money, and this is live"
    assert ledger.balance("wallet", alice) == 0
