"""What somebody would try who wants credits that are not theirs, or who pays twice by accident."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import accounts
from apps.drive.models import Image
from apps.payments import ledger
from apps.payments.models import Hold, Payout, PayoutAccount, Purchase, TopUp, Transaction
from apps.payments.providers import sandbox
from apps.payments.services import adjustments, closing, holds, payouts, topups
from apps.payments.services.purchases import purchase
from apps.processing.models import Job
from apps.processing.services import charging, jobs
from marketplace.api import ApiError
from tests.payments.conftest import credit, make_listing
from tests.payments.test_holds_jobs import (  # noqa: F401 - fixtures
    PRICE,
    _balances,
    _prices,
    listing,
    request_of,
    server,
)
from tests.processing.conftest import (  # noqa: F401 - fixtures
    _quiet_bell,
    apps,
    clock,
    controller,
    engine,
    photos,
    run_to_end,
)

ODD = [0, -1, -(10**30), 10**30, "1e3", "٣", "NaN", None, [], {}]


def _code(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.mark.parametrize("credits", ODD)
@pytest.mark.parametrize("path", ["topups", "payouts"])
def test_odd_amounts_move_nothing(alice_api, alice, path, credits):
    answer = alice_api.post(f"/api/v1/{path}", {"credits": credits}, format="json")
    assert answer.status_code == 422
    assert not TopUp.objects.exists()
    assert not Payout.objects.exists()
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("price", [*ODD[1:], ""])
def test_odd_prices_buy_nothing(alice_api, alice, bob, price):
    credit(alice, 500)
    sold = make_listing(bob, 100)
    answer = alice_api.post(f"/api/v1/listings/{sold.pk}/purchase", {"price": price}, format="json")
    assert answer.status_code in {409, 422}
    assert (Purchase.objects.count(), ledger.balance("wallet", alice)) == (0, 500)


def test_nothing_is_bought_without_saying_the_price(alice_api, alice_web, alice, bob):
    credit(alice, 500)
    sold = make_listing(bob, 100)
    assert alice_api.post(f"/api/v1/listings/{sold.pk}/purchase").status_code == 422
    for price in ("", "-100", "1e2"):
        assert alice_web.post(reverse("market-buy", args=[sold.pk]), {"price": price}).status_code == 422
    assert (Purchase.objects.count(), ledger.balance("wallet", alice)) == (0, 500)


@pytest.mark.parametrize("change", [{"price": 101}, {"status": "withdrawn"}, {"status": "taken_down"}])
def test_two_tabs_and_a_seller_who_changes_the_listing_in_between(alice_web, alice, bob, change):
    credit(alice, 500)
    sold = make_listing(bob, 100)
    page = reverse("market-buy", args=[sold.pk])
    assert 'name="price" value="100"' in alice_web.get(page).content.decode()
    type(sold).objects.filter(pk=sold.pk).update(**change)

    assert alice_web.post(page, {"price": "100", "key": "tab"}).status_code == 409

    assert (Purchase.objects.count(), ledger.balance("wallet", alice)) == (0, 500)


def test_a_second_tab_does_not_buy_again(alice_web, alice, bob):
    credit(alice, 500)
    sold = make_listing(bob, 100)
    page = reverse("market-buy", args=[sold.pk])
    assert alice_web.post(page, {"price": "100", "key": "one"}).status_code == 302
    assert (
        alice_web.post(page, {"price": "100", "key": "one"}).status_code == 302
    )  # the same click, sent again
    assert alice_web.post(page, {"price": "100", "key": "two"}).status_code == 409
    assert ledger.balance("wallet", alice) == 400


def test_keys_belong_to_one_person(alice, bob, charlie_of):
    """The same key of two people is two keys: neither sees or repeats what the other did."""
    for user in (alice, charlie_of):
        credit(user, 300)
        assert purchase(user, make_listing(bob, 100, title=user.email).pk, key="k").buyer == user
    one, other = (topups.create(user, credits=1000, key="k") for user in (alice, bob))
    assert (one.user, other.user) == (alice, bob)
    first = holds.for_preview(alice, unit_price=1, seller=bob, title="", key="k", digest="d")
    second = holds.for_preview(charlie_of, unit_price=1, seller=bob, title="", key="k", digest="d")
    with first, second:
        pass
    assert Hold.objects.filter(charged=1).count() == 2


@pytest.fixture
def charlie_of(db):
    return User.objects.create_user("charlie@example.org")


def test_a_replay_with_another_body_is_refused(alice, bob, staff):
    credit(alice, 500)
    sold, other = make_listing(bob, 100), make_listing(bob, 50, title="Other")
    purchase(alice, sold.pk, key="k")
    adjustments.adjust(staff, user=alice, credits=5, reason="Why", key="k")
    payouts.to_wallet(bob, credits=10, key="k")
    before = Transaction.objects.count()
    replays = [
        lambda: purchase(alice, other.pk, key="k"),
        lambda: adjustments.adjust(staff, user=alice, credits=6, reason="Why", key="k"),
        lambda: adjustments.adjust(staff, user=bob, credits=5, reason="Why", key="k"),
        lambda: adjustments.adjust(staff, user=alice, credits=5, reason="Other", key="k"),
        lambda: payouts.to_wallet(bob, credits=11, key="k"),
    ]
    for replay in replays:
        with pytest.raises(ApiError) as refused:
            replay()
        assert refused.value.code == "idempotency_key_reused"
    adjustments.adjust(staff, user=alice, credits=5, reason="Why", key="k")  # the very same: once
    payouts.to_wallet(bob, credits=10, key="k")
    assert Transaction.objects.count() == before


@pytest.mark.parametrize(("key", "other"), [("a", "A"), ("a", "a:1"), ("%", "x"), ("_", "y")])
def test_preview_keys_that_look_alike_are_two(alice, bob, key, other):
    credit(alice, 10)
    for one, digest in ((key, "d1"), (other, "d2"), (key, "d1")):
        with holds.for_preview(alice, unit_price=2, seller=bob, title="", key=one, digest=digest):
            pass
    assert ledger.balance("wallet", alice) == 6


# --- Prices that change between seeing and running -------------------------------------------------------


def test_a_job_is_not_started_at_a_price_that_was_not_shown(alice, alice_api, listing, request_of):  # noqa: F811
    credit(alice, 1000)
    body = {"app": listing.pk, "folder": request_of(3).folder}
    quote = alice_api.post("/api/v1/quotes", body, format="json").json()
    assert (quote["price"], quote["balance"]) == (3 * PRICE, 1000)
    type(listing).objects.filter(pk=listing.pk).update(price_per_image=100)

    answer = alice_api.post("/api/v1/jobs", body | {"price": quote["price"]}, format="json")

    assert (answer.status_code, _code(answer)) == (409, "price_changed")
    assert (Job.objects.count(), _balances(alice)) == (0, (1000, 0))
    again = alice_api.post("/api/v1/jobs", body | {"price": 300}, format="json")
    assert (again.status_code, _balances(alice)) == (201, (700, 300))


def test_a_preview_is_not_made_at_a_price_that_was_not_shown(
    alice,
    alice_api,
    listing,  # noqa: F811
    photos,  # noqa: F811
    server,  # noqa: F811
):
    credit(alice, 100)
    photos(alice, 1)
    image = Image.objects.get().pk
    url, body = f"/api/v1/apps/{listing.pk}/preview", {"image": image, "params": "{}", "price": PRICE - 1}
    answer = alice_api.post(url, body, format="multipart", headers={"Accept": "application/json"})
    assert (answer.status_code, _code(answer), _balances(alice)) == (409, "price_changed", (100, 0))
    answer = alice_api.post(
        url, body | {"price": PRICE}, format="multipart", headers={"Accept": "application/json"}
    )
    assert (answer.status_code, _balances(alice)) == (200, (100 - PRICE, 0))


def test_a_price_that_rises_before_a_retry_is_the_old_one(alice, listing, request_of, controller, engine):  # noqa: F811
    credit(alice, 100)
    job = jobs.submit(alice, request_of(3))
    job = run_to_end(controller, engine, job, lambda image: "broken" if image.name == "0001.jpg" else "")
    paid = job.done - job.failed
    type(listing).objects.filter(pk=listing.pk).update(price_per_image=90)

    jobs.retry(alice, job.pk)

    assert _balances(alice) == (100 - 3 * PRICE, (3 - paid) * PRICE)


# --- After the end ---------------------------------------------------------------------------------------


def test_what_is_counted_after_the_rest_was_given_back_costs_nothing(alice, bob, listing, request_of):  # noqa: F811
    credit(alice, 100)
    job = jobs.submit(alice, request_of(4))
    charging.settle(job, 1)
    stale = Job.objects.get(pk=job.pk)
    charging.close(job)
    charging.settle(stale, 4)
    charging.close(stale)
    assert (_balances(alice), _prices(job)) == ((100 - PRICE, 0), (0, PRICE))


def test_who_leaves_while_a_job_runs_pays_what_was_done_and_forfeits_the_rest(
    alice,
    alice_web,
    bob,
    request_of,  # noqa: F811
):
    credit(alice, 100)
    job = jobs.submit(alice, request_of(4))
    charging.settle(job, 1)
    stale = Job.objects.get(pk=job.pk)
    assert closing.forfeited(alice) == 100 - PRICE
    assert f"{100 - PRICE}</span> credits" in alice_web.get(reverse("account_delete")).content.decode()

    accounts.delete(alice)
    charging.settle(stale, 3)  # a controller that has not heard of it
    charging.close(stale)

    assert ledger.balance("earnings", bob) == PRICE - PRICE * 15 // 100
    assert ledger.fees().balance == 100 - (PRICE - PRICE * 15 // 100)


def test_a_seller_who_leaves_while_a_job_runs_is_not_paid_and_the_job_goes_on(alice, bob, request_of):  # noqa: F811
    credit(alice, 100)
    job = jobs.submit(alice, request_of(3))
    charging.settle(job, 1)
    accounts.delete(bob)
    job = Job.objects.get(pk=job.pk)
    charging.settle(job, 3)
    assert _balances(alice) == (100 - 3 * PRICE, 0)
    assert ledger.fees().balance == 3 * PRICE


# --- Money that is taken back ----------------------------------------------------------------------------


def test_who_has_spent_a_disputed_payment_can_not_be_paid_out_and_winning_ends_it(
    alice, bob, send, open_topup, settings
):
    settings.PAYOUT_MIN = 1
    send(sandbox.session_event(open_topup))
    purchase(alice, make_listing(bob, 900).pk)
    purchase_of_bob = make_listing(alice, 40, title="Own")
    credit(bob, 40)
    purchase(bob, purchase_of_bob.pk)  # alice earns 34
    PayoutAccount.objects.create(user=alice, provider="sandbox", account_id="acct", ready=True)

    send(sandbox.dispute_event(open_topup, "created", "needs_response"))
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (0, -900)
    for act in (
        lambda: payouts.request(alice, credits=30),
        lambda: purchase(alice, make_listing(bob, 1, title="x").pk),
    ):
        with pytest.raises(ApiError) as refused:
            act()
        assert refused.value.code == "in_debt"

    send(sandbox.dispute_event(open_topup, "closed", "won"))
    assert (ledger.balance("wallet", alice), ledger.balance("debt", alice)) == (100, 0)
    send(sandbox.dispute_event(open_topup, "closed", "lost"))  # too late
    assert ledger.balance("wallet", alice) == 100


def test_an_event_that_comes_before_the_page_is_known_grants_once(alice, send, monkeypatch):
    """Stripe may call the webhook before its answer to our request has arrived."""
    provider = topups.usable()
    real = provider.checkout

    def early(topup, **urls):
        answer = real(topup, **urls)
        stored = TopUp.objects.get(pk=topup.pk)
        stored.session_id = answer.session_id
        assert send(sandbox.session_event(stored)).status_code == 200
        return answer

    monkeypatch.setattr(type(provider), "checkout", lambda self, topup, **urls: early(topup, **urls))
    topup = topups.create(alice, credits=1000)
    topup.refresh_from_db()
    assert (topup.status, bool(topup.checkout_url), ledger.balance("wallet", alice)) == ("paid", True, 1000)
    send(sandbox.session_event(topup))
    assert ledger.balance("wallet", alice) == 1000


# --- Cost ------------------------------------------------------------------------------------------------


def test_a_purchase_costs_a_fixed_number_of_queries(alice, bob, django_user_model):
    credit(alice, 1000)
    purchase(alice, make_listing(bob, 10, title="First").pk)  # makes the accounts
    sold = make_listing(bob, 10)
    alice = django_user_model.objects.get(pk=alice.pk)
    with CaptureQueriesContext(connection) as queries:
        purchase(alice, sold.pk, expected_price=10, key="k")
    # Two of them begin and release the savepoint of the test, where a request begins and commits.
    assert len(queries) == 18, [query["sql"][:90] for query in queries]


def test_more_bought_apps_cost_the_price_list_no_more_queries(alice, alice_web, bob, listing):  # noqa: F811
    credit(alice, 1000)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page = alice_web.get(reverse("prices")).content.decode()
        assert f'<td class="num">{PRICE}</td><td class="num">{100 * PRICE}</td>' in page
        return len(queries)

    count()  # whatever is looked up once for all
    few = count()
    for number in range(5):
        purchase(alice, make_listing(bob, 10, price_per_image=PRICE, title=f"No {number}").pk)
    assert count() == few


def test_a_jobs_page_tells_what_was_held_paid_and_given_back(
    alice,
    alice_web,
    bob,
    request_of,  # noqa: F811
    controller,  # noqa: F811
    engine,  # noqa: F811
):
    credit(alice, 3 * PRICE)
    job = jobs.submit(alice, request_of(3))
    page = alice_web.get(reverse("job", args=[job.pk])).content.decode()
    assert f"data-held>{3 * PRICE}<" in page
    job = run_to_end(controller, engine, job, lambda image: "broken" if image.name == "0001.jpg" else "")
    good = job.done - job.failed
    purchase(alice, make_listing(bob, ledger.balance("wallet", alice) - 1, title="Spends the rest").pk)

    page = alice_web.get(reverse("job", args=[job.pk])).content.decode()

    rest = (3 - good) * PRICE
    for text in ("data-held>0<", f"data-charged>{good * PRICE}<", f"data-returned>{rest}<"):
        assert text in page
    assert f"/wallet/top-up/?credits={rest - 1}&amp;next=%2Fjobs%2F{job.pk}%2F" in page
