"""The wallet's pages, for their owner, for others, for people who are logged out and for staff."""

from __future__ import annotations

import csv
import io

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.payments import ledger
from apps.payments.models import Payout, Purchase, TopUp, Transaction
from apps.payments.providers import sandbox
from apps.payments.services import payouts, topups
from apps.payments.services.purchases import purchase
from marketplace.wsgi import application
from tests.payments.conftest import credit, make_listing

PAGES = ["wallet", "wallet-csv", "topup-new", "prices", "earnings"]
OF_TOPUP = ["topup", "receipt", "sandbox-checkout"]
STAFF_GET, STAFF_POST = "ledger", ["ledger-adjust"]
API = ["wallet", "wallet/entries", "topups", "purchases", "earnings", "payouts"]


@pytest.fixture
def paid(open_topup, send) -> TopUp:
    send(sandbox.session_event(open_topup))
    open_topup.refresh_from_db()
    return open_topup


@pytest.fixture
def alice_web(alice_web):
    """On this very machine, which the sandbox asks for."""
    alice_web.defaults["HTTP_HOST"] = "localhost"
    return alice_web


@pytest.fixture
def staff_web(staff_web):
    staff_web.defaults["HTTP_HOST"] = "localhost"
    return staff_web


# --- Who may -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAGES, "payout-connect", "payout", STAFF_GET, *STAFF_POST])
def test_logged_out_people_are_sent_to_log_in(charlie_web, name):
    method = charlie_web.post if name in {"payout-connect", "payout", *STAFF_POST} else charlie_web.get
    answer = method(reverse(name))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/login/")


@pytest.mark.parametrize("path", API)
def test_the_api_wants_a_login(charlie_api, path):
    assert charlie_api.get(f"/api/v1/{path}").status_code == 401


@pytest.mark.parametrize("path", ["topups", "payouts", "listings/x/purchase"])
def test_the_api_does_nothing_for_logged_out_people(charlie_api, path):
    assert charlie_api.post(f"/api/v1/{path}", {"credits": 1000}).status_code == 401
    assert not TopUp.objects.exists()
    assert not Payout.objects.exists()
    assert not Purchase.objects.exists()


@pytest.mark.parametrize("name", OF_TOPUP)
def test_another_persons_topup_is_not_there(bob_web, charlie_web, open_topup, name):
    url = reverse(name, args=[open_topup.pk])
    assert bob_web.get(url).status_code == 404
    assert charlie_web.get(url).status_code == 302


def test_another_person_can_not_pay_or_cancel_it(bob_web, open_topup, alice):
    assert (
        bob_web.post(reverse("sandbox-checkout", args=[open_topup.pk]), {"action": "pay"}).status_code == 404
    )
    open_topup.refresh_from_db()
    assert (open_topup.status, ledger.balance("wallet", alice)) == ("open", 0)


def test_another_persons_topup_is_not_there_in_the_api(bob_api, alice_api, open_topup):
    assert alice_api.get(f"/api/v1/topups/{open_topup.pk}").json()["status"] == "open"
    assert bob_api.get(f"/api/v1/topups/{open_topup.pk}").status_code == 404
    assert bob_api.get("/api/v1/topups").json()["count"] == 0


def test_the_ledger_is_for_staff(alice_web, staff_web, alice):
    assert alice_web.get(reverse("ledger")).status_code == 404
    data = {"user": alice.pk, "credits": "500", "reason": "me", "key": "k"}
    assert alice_web.post(reverse("ledger-adjust"), data).status_code == 404
    assert Transaction.objects.count() == 0
    assert staff_web.get(reverse("ledger")).status_code == 200


def test_test_events_are_for_staff(alice_web, alice, paid):
    answer = alice_web.post(reverse("sandbox-event", args=[paid.pk]), {"what": "refund"})
    assert answer.status_code == 404
    assert ledger.balance("wallet", alice) == 1000


def test_entries_are_ones_own(alice, bob_api, alice_api):
    credit(alice, 10)
    assert bob_api.get("/api/v1/wallet/entries").json()["items"] == []
    (entry,) = alice_api.get("/api/v1/wallet/entries").json()["items"]
    assert (entry["kind"], entry["amount"], entry["balance"]) == ("grant", 10, 10)


# --- What they show ------------------------------------------------------------------------------------


def test_an_empty_wallet_teaches_the_next_step(alice_web):
    page = alice_web.get("/wallet/").content.decode()
    assert "Credits pay for apps that other people made." in page


def test_history_shows_running_balances_newest_first(alice, alice_web):
    for credits in (1200, 300):
        credit(alice, credits)
    page = alice_web.get("/wallet/").content.decode()
    assert page.index("1,500") < page.index("1,200")
    assert "+300" in page


def _kinds(answer) -> list[str]:
    return [entry["kind"] for entry in answer.json()["items"]]


def test_history_can_be_filtered(alice, bob, alice_api):
    credit(alice, 500)
    purchase(alice, make_listing(bob, 100).pk)
    url = "/api/v1/wallet/entries"
    assert _kinds(alice_api.get(url)) == ["purchase", "grant"]
    assert _kinds(alice_api.get(url, {"kind": "purchase"})) == ["purchase"]
    assert _kinds(alice_api.get(url, {"to": "2020-01-01"})) == []
    assert _kinds(alice_api.get(url, {"from": "2020-01-01", "to": "9999-12-31"})) == ["purchase", "grant"]
    assert _kinds(alice_api.get(url, {"account": "earnings"})) == []


@pytest.mark.parametrize(
    "query", [{"kind": "x"}, {"from": "yesterday"}, {"to": "2026-02-30"}, {"account": "debt"}]
)
def test_a_filter_that_makes_no_sense_is_said(alice_api, alice_web, query):
    answer = alice_api.get("/api/v1/wallet/entries", query)
    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == list(query)
    assert "can&#x27;t be filtered like that" in alice_web.get("/wallet/", query).content.decode()


def test_the_csv_holds_the_history_and_no_formulas(alice, bob, alice_web):
    credit(alice, 500)
    purchase(alice, make_listing(bob, 100, title="=cmd()").pk)
    answer = alice_web.get("/wallet/entries.csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["kind"], row["credits"], row["balance"]) for row in rows] == [
        ("purchase", "-100", "400"),
        ("grant", "500", "500"),
    ]
    assert rows[0]["reason"] == "'=cmd()"


@pytest.mark.parametrize(
    "url", ["/wallet/", "/api/v1/wallet/entries", "/wallet/earnings/", "/wallet/ledger/"]
)
def test_more_rows_cost_no_more_queries(staff, staff_web, alice, url, django_assert_num_queries):

    def fill(count: int) -> int:
        for number in range(count):
            credit(staff, 10)
            ledger.post(
                "grant",
                f"earn {count} {number}",
                {ledger.account("grants"): -5, ledger.earnings(staff): 5},
                reference="test",
            )
            topups.create(staff, credits=500)
        with CaptureQueriesContext(connection) as seen:
            assert staff_web.get(url).status_code == 200
        return len(seen)

    assert fill(2) == fill(15)


def test_the_way_through_the_sandbox(alice, alice_web, live_webhook):
    opened = alice_web.post("/wallet/top-up/", {"credits": "1000", "next": "/studio/"})
    topup = TopUp.objects.get()
    assert opened.headers["Location"] == f"/wallet/sandbox/{topup.pk}/"
    assert "Sandbox: test money" in alice_web.get(opened.headers["Location"]).content.decode()

    paid = alice_web.post(opened.headers["Location"], {"action": "pay"})

    assert paid.headers["Location"] == f"/wallet/top-ups/{topup.pk}/"
    page = alice_web.get(paid.headers["Location"]).content.decode()
    assert "Paid." in page
    assert 'href="/studio/"' in page
    assert ledger.balance("wallet", alice) == 1000
    receipt = alice_web.get(f"/wallet/top-ups/{topup.pk}/receipt/").content.decode()
    assert "10.00 EUR" in receipt
    assert "no real money was moved" in receipt


@pytest.fixture
def live_webhook(monkeypatch, kept_connection, settings):
    """Our own webhook, without a socket in between."""

    def inside(environ, start_response):
        # The test client around this call has connected it again.
        request_started.disconnect(close_old_connections)
        request_finished.disconnect(close_old_connections)
        return application(environ, start_response)

    settings.ALLOWED_HOSTS = ["*"]
    monkeypatch.setattr(sandbox, "transport", httpx.WSGITransport(app=inside))


@pytest.mark.parametrize(("action", "status"), [("decline", "failed"), ("cancel", "open")])
def test_the_other_buttons_charge_nothing(alice, alice_web, open_topup, live_webhook, action, status):
    alice_web.post(f"/wallet/sandbox/{open_topup.pk}/", {"action": action}, follow=True)
    open_topup.refresh_from_db()
    assert (open_topup.status, ledger.balance("wallet", alice)) == (status, 0)


def test_a_webhook_that_does_not_answer_is_said(alice_web, open_topup, settings):
    settings.BASE_URL = "http://127.0.0.1:9"
    page = alice_web.post(f"/wallet/sandbox/{open_topup.pk}/", {"action": "pay"}, follow=True)
    assert "The webhook could not be reached. Nothing was charged; try again." in page.content.decode()


@pytest.mark.parametrize("credits", ["", "0", "12.5", "-500", "9" * 30, "١٢٣"])
def test_a_topup_form_that_can_not_be_understood_opens_nothing(alice_web, credits):
    answer = alice_web.post("/wallet/top-up/", {"credits": credits})
    assert answer.status_code == 422
    assert not TopUp.objects.exists()


def test_missing_credits_are_preset(alice_web):
    assert 'value="730"' in alice_web.get("/wallet/top-up/?credits=730").content.decode()
    assert 'value="500"' in alice_web.get("/wallet/top-up/?credits=20").content.decode()


def test_earnings_by_day_and_a_payout(alice, bob, bob_web):
    credit(alice, 4000)
    purchase(alice, make_listing(bob, 4000).pk)
    assert "3,400" in bob_web.get("/wallet/earnings/").content.decode()
    bob_web.post("/wallet/earnings/connect/")
    page = bob_web.post(
        "/wallet/earnings/payout/", {"credits": "3000", "action": "out", "key": "k"}, follow=True
    )
    assert "A payout of 3,000 credits is on its way." in page.content.decode()
    payouts.send(Payout.objects.get().pk)
    page = bob_web.get("/wallet/earnings/").content.decode()
    assert "30.00 EUR" in page
    assert "<rect" in page


@pytest.mark.parametrize("what", ["pk", "key", "reference", "external_id", "email"])
def test_staff_find_a_transaction(alice, paid, staff_web, what):
    row = Transaction.objects.get(kind="topup")
    credit(alice, 1) if what == "email" else None
    q = alice.email if what == "email" else getattr(row, what)
    page = staff_web.get(reverse("ledger"), {"q": q}).content.decode()
    assert row.key in page
    assert f"wallet:{alice.pk}" in page


@pytest.mark.parametrize("q", ["nothing", "\0", "x" * 500, "%"])
def test_staff_find_nothing_for_anything_else(alice, paid, staff_web, q):
    page = staff_web.get(reverse("ledger"), {"q": q})
    assert page.status_code == 200
    if q != "\0":
        assert "No transaction has this id" in page.content.decode()


def test_staff_adjust_and_play_a_refund(alice, paid, staff_web, live_webhook):
    data = {"user": alice.pk, "credits": "−250", "reason": "Paid outside", "key": "k"}
    for _ in range(2):
        staff_web.post(reverse("ledger-adjust"), data)
    assert ledger.balance("wallet", alice) == 750
    staff_web.post(reverse("sandbox-event", args=[paid.pk]), {"what": "refund"})
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (0, -250)


def test_prices_list_what_can_be_run_and_bought(alice_web, bob):
    make_listing(bob, 199, price_per_image=3, title="Boats & birds")
    page = alice_web.get("/wallet/prices/").content.decode()
    assert "Boats &amp; birds" in page
    assert "Pixel art" in page
