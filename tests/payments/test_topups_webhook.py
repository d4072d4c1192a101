"""Top-ups: only the signed webhook grants, once, whatever order events come in."""

from __future__ import annotations

import time

import pytest

from apps.payments import ledger
from apps.payments.models import Account, Dispute, ProviderEvent, TopUp, Transaction
from apps.payments.providers import sandbox
from apps.payments.services import holds, payouts, purchases, topups, webhooks
from marketplace.api import ApiError
from tests.payments.conftest import credit, make_listing


def _outcome(event) -> tuple[str, str]:
    return ProviderEvent.objects.values_list("outcome", "note").get(event_id=event["id"])


def test_a_paid_session_grants_its_credits_once(alice, open_topup, send):
    event = sandbox.session_event(open_topup)

    assert [send(event).status_code for _ in range(3)] == [200, 200, 200]

    open_topup.refresh_from_db()
    assert (open_topup.status, open_topup.granted) == ("paid", True)
    assert ledger.balance("wallet", alice) == 1000
    row = ProviderEvent.objects.get()
    assert (row.outcome, row.deliveries) == ("done", 3)
    assert Transaction.objects.get().external_id == f"pi_sandbox_{open_topup.pk}"


def test_the_return_page_grants_nothing(alice, alice_web, open_topup):
    page = alice_web.get(f"/wallet/top-ups/{open_topup.pk}/")

    assert "Waiting for the payment" in page.content.decode()
    assert ledger.balance("wallet", alice) == 0


def _forged(event, send):
    return send(event, secret="whsec_of_somebody_else")


def _stale(event, send):
    return send(event, timestamp=int(time.time()) - 301)


@pytest.mark.parametrize("way", [_forged, _stale])
def test_a_body_that_is_not_signed_now_by_us_does_nothing(alice, open_topup, send, way):
    answer = way(sandbox.session_event(open_topup), send)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_signature"
    assert ledger.balance("wallet", alice) == 0
    assert ProviderEvent.objects.count() == 0


@pytest.mark.parametrize("signature", ["", "nonsense", "t=1,v1=00", "t=x,v1=00", "v1=00"])
def test_a_broken_signature_is_400(client, db, signature):
    answer = client.post(
        "/api/v1/stripe/webhook",
        b"{}",
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
    assert answer.status_code == 400


def test_a_changed_body_does_nothing(alice, open_topup, client):
    import json

    import stripe

    event = sandbox.session_event(open_topup)
    signature = stripe.WebhookSignature.generate_signature_header(json.dumps(event), sandbox.secret())
    event["data"]["object"]["amount_total"] += 1
    answer = client.post(
        "/api/v1/stripe/webhook",
        json.dumps(event),
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
    assert answer.status_code == 400
    assert ledger.balance("wallet", alice) == 0


@pytest.mark.parametrize(
    ("change", "outcome", "note"),
    [
        ({"amount_total": 999}, "refused", "amount 999 instead of 1000"),
        ({"currency": "usd"}, "refused", "currency usd instead of eur"),
        ({"payment_status": "no_payment_required"}, "refused", "payment_status is no_payment_required"),
        ({"payment_status": "unpaid"}, "done", "the payment is still on its way"),
        ({"id": "cs_another"}, "ignored", "no top-up has this session"),
        ({"client_reference_id": "unknown"}, "ignored", "no top-up has this session"),
        ({"client_reference_id": None}, "ignored", "no top-up has this session"),
    ],
)
def test_what_does_not_fit_grants_nothing_and_is_kept(alice, open_topup, send, change, outcome, note):
    event = sandbox.session_event(open_topup)
    event["data"]["object"] |= change

    assert send(event).status_code == 200

    assert _outcome(event) == (outcome, note)
    assert ledger.balance("wallet", alice) == 0


def test_real_money_is_not_taken_for_test_money(alice, open_topup, send):
    event = sandbox.session_event(open_topup) | {"livemode": True}
    send(event)
    assert _outcome(event) == ("ignored", "live money, and this is sandbox")
    assert ledger.balance("wallet", alice) == 0


def test_a_payment_that_takes_days(alice, open_topup, send):
    send(sandbox.session_event(open_topup, "completed", "unpaid"))
    assert ledger.balance("wallet", alice) == 0
    send(sandbox.session_event(open_topup, "async_payment_succeeded"))
    assert ledger.balance("wallet", alice) == 1000


def test_an_expired_session_is_not_revived_by_its_own_late_event(alice, open_topup, send):
    send(sandbox.session_event(open_topup))
    send(sandbox.session_event(open_topup, "expired", "unpaid"))
    open_topup.refresh_from_db()
    assert open_topup.status == "paid"
    assert ledger.balance("wallet", alice) == 1000


def test_a_declined_payment(alice, open_topup, send):
    send(sandbox.session_event(open_topup, "async_payment_failed", "unpaid"))
    open_topup.refresh_from_db()
    assert open_topup.status == "failed"


def test_a_refund_takes_credits_back_by_its_sum(alice, open_topup, send):
    send(sandbox.session_event(open_topup))
    send(sandbox.refund_event(open_topup, 300))
    send(sandbox.refund_event(open_topup, 300))
    assert ledger.balance("wallet", alice) == 700
    send(sandbox.refund_event(open_topup, 1000))
    send(sandbox.refund_event(open_topup, 300))  # the first one, late
    assert ledger.balance("wallet", alice) == 0
    assert Account.objects.get(code="external:sandbox").balance == 0


def test_a_refund_before_its_payment_is_not_lost(alice, open_topup, send):
    send(sandbox.refund_event(open_topup, 400))
    assert ledger.balance("wallet", alice) == 0
    send(sandbox.session_event(open_topup))
    assert ledger.balance("wallet", alice) == 600


def test_a_dispute_before_its_payment_is_caught_up_with(alice, open_topup, send):
    dispute = sandbox.dispute_event(open_topup, "created", "needs_response")
    send(dispute)
    assert _outcome(dispute) == ("ignored", "no top-up has this payment")

    send(sandbox.session_event(open_topup))

    assert _outcome(dispute) == ("done", "")
    assert ledger.balance("wallet", alice) == 0
    assert Dispute.objects.get().status == "open"


def test_a_dispute_that_is_won_gives_back_also_when_its_beginning_comes_last(alice, open_topup, send):
    send(sandbox.session_event(open_topup))
    send(sandbox.dispute_event(open_topup, "closed", "won"))
    send(sandbox.dispute_event(open_topup, "created", "needs_response"))
    assert ledger.balance("wallet", alice) == 1000


def test_a_lost_dispute_stays_lost(alice, open_topup, send):
    send(sandbox.session_event(open_topup))
    send(sandbox.dispute_event(open_topup, "created", "needs_response"))
    send(sandbox.dispute_event(open_topup, "closed", "lost"))
    assert ledger.balance("wallet", alice) == 0
    assert Account.objects.get(code="external:sandbox").balance == 0


def _in_debt(alice, bob, topup, send):
    send(sandbox.session_event(topup))
    purchases.purchase(alice, make_listing(bob, 700).pk)
    send(sandbox.dispute_event(topup, "created", "needs_response"))


def test_what_was_spent_already_becomes_a_debt_that_blocks(alice, bob, open_topup, send, alice_api):
    _in_debt(alice, bob, open_topup, send)

    assert alice_api.get("/api/v1/wallet").json() == {"balance": 0, "held": 0, "debt": 700}
    other = make_listing(bob, 0, title="Free")
    with pytest.raises(ApiError, match="700 credits are owed") as refusal:
        purchases.purchase(alice, other.pk)
    assert refusal.value.code == "in_debt"
    with pytest.raises(ApiError, match="credits are owed"):
        holds.open_hold(alice, reference="job:x:1", units=1, unit_price=1, seller=bob)
    credit_to_earnings(alice, 5000)
    payouts.connect(alice, "http://localhost/")
    with pytest.raises(ApiError, match="credits are owed"):
        payouts.request(alice, credits=2000)


def credit_to_earnings(user, credits):
    moves = {ledger.account("grants"): -credits, ledger.earnings(user): credits}
    ledger.post("grant", f"earn:{user.pk}:{credits}", moves, reference="test")


def test_a_debt_is_repaid_by_whatever_comes_in(alice, bob, open_topup, send):
    _in_debt(alice, bob, open_topup, send)
    credit(alice, 500)
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (0, -200)
    credit(alice, 500)
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (300, 0)


def test_a_won_dispute_clears_the_debt_it_made(alice, bob, open_topup, send):
    _in_debt(alice, bob, open_topup, send)
    send(sandbox.dispute_event(open_topup, "closed", "won"))
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (300, 0)


def test_an_error_of_ours_keeps_the_event_and_asks_for_it_again(alice, open_topup, send, monkeypatch):
    event = sandbox.session_event(open_topup)

    def broken(topup):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(topups, "reconcile", broken)
        answer = send(event)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_handled")
    assert _outcome(event) == ("failed", "RuntimeError: the disk is full")
    assert ledger.balance("wallet", alice) == 0

    assert send(event).status_code == 200
    assert _outcome(event) == ("done", "")
    assert ledger.balance("wallet", alice) == 1000


def test_a_payment_of_a_deleted_account_is_refused_for_staff_to_refund(alice, open_topup, send):
    event = sandbox.session_event(open_topup)
    alice.delete()
    send(event)
    assert _outcome(event) == ("refused", "the account is gone: refund this payment")
    assert Transaction.objects.count() == 0


def test_a_refund_after_the_account_was_deleted_is_borne_by_the_platform(alice, open_topup, send):
    send(sandbox.session_event(open_topup))
    from apps.payments.services import closing

    closing.close(alice)
    alice.delete()
    send(sandbox.refund_event(open_topup, 1000))
    assert Account.objects.get(code="adjustments").balance == -1000


def test_unknown_kinds_are_kept_and_ignored(db, send):
    event = {"id": "evt_1", "type": "customer.created", "livemode": False, "data": {"object": {}}}
    assert send(event).status_code == 200
    assert _outcome(event) == ("ignored", "not a kind that matters here")


@pytest.mark.parametrize("data", [None, [], {"object": None}, {"object": {"metadata": []}}])
def test_events_of_an_odd_shape_do_no_harm(db, send, data):
    event = {"id": "evt_2", "type": "charge.refunded", "livemode": False, "data": data}
    assert send(event).status_code == 200
    assert _outcome(event)[0] == "ignored"


def test_an_event_beyond_the_limit_is_refused(db, client):
    with pytest.raises(ApiError) as refusal:
        webhooks.receive(b"x" * 500_001, "")
    assert refusal.value.status_code == 413


def test_the_same_key_opens_one_topup(alice):
    first, again = (topups.create(alice, credits=600, key="k") for _ in range(2))
    assert first.pk == again.pk
    with pytest.raises(ApiError) as refusal:
        topups.create(alice, credits=700, key="k")
    assert refusal.value.code == "idempotency_key_reused"
    assert TopUp.objects.count() == 1


@pytest.mark.parametrize("credits", [0, 499, 100_001])
def test_bounds_of_a_topup(alice, credits):
    with pytest.raises(ApiError) as refusal:
        topups.create(alice, credits=credits)
    assert refusal.value.fields == {"credits": ["must be between 500 and 100,000"]}
    assert TopUp.objects.count() == 0


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/studio/?app=bw", "/studio/?app=bw"),
        ("https://evil.example/", ""),
        ("//evil.example/", ""),
        ("/\\evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("studio/", ""),
    ],
)
def test_the_way_back_leads_nowhere_else(alice, path, kept):
    assert topups.create(alice, credits=600, back=path).back == kept


def test_nothing_can_be_bought_where_payments_are_off(alice, settings):
    settings.PAYMENTS = "off"
    with pytest.raises(ApiError) as refusal:
        topups.create(alice, credits=600)
    assert refusal.value.code == "payments_off"
