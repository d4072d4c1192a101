"""Buying a listing: who pays what, what can't be bought, and what is kept of it."""

from __future__ import annotations

import pytest
from django.http import Http404

from apps.payments import ledger
from apps.payments.models import Account, Purchase, Transaction
from apps.payments.services.purchases import purchase
from apps.processing import catalog
from marketplace.api import ApiError
from tests.payments.conftest import credit, make_listing


def test_price_less_fee_goes_to_the_seller_and_the_fee_to_the_platform(alice, bob):
    credit(alice, 500)
    listing = make_listing(bob, 199, licence="download", commercial_use=True)

    bought = purchase(alice, listing.pk, expected_price=199)

    assert ledger.balance("wallet", alice) == 301
    assert ledger.balance("earnings", bob) == 170
    assert Account.objects.get(code="fees").balance == 29  # 15 % of 199, rounded down
    assert (bought.price, bought.fee, bought.licence, bought.commercial_use) == (199, 29, "download", True)
    listing.refresh_from_db()
    assert listing.sales_count == 1


def test_terms_of_the_day_are_kept(alice, bob):
    credit(alice, 100)
    listing = make_listing(bob, 100, licence="download")
    bought = purchase(alice, listing.pk)
    listing.price, listing.licence, listing.title = 5, "run", "Ships"
    listing.save()
    bought.refresh_from_db()
    assert (bought.price, bought.licence, bought.title) == (100, "download", "Boats")


def test_what_was_bought_is_an_app_at_once(alice, bob):
    listing = make_listing(bob, 0, price_per_image=3)
    with pytest.raises(Http404):
        catalog.app_for(alice, listing.pk)
    purchase(alice, listing.pk)
    app = catalog.app_for(alice, listing.pk)
    assert (app.source, app.price_per_image) == ("purchased", 3)
    assert catalog.app_for(bob, listing.pk).price_per_image == 0  # its seller pays nothing


def test_a_free_listing_moves_no_credits(alice, bob):
    purchase(alice, make_listing(bob, 0).pk)
    assert Purchase.objects.count() == 1
    assert Transaction.objects.count() == 0


def test_the_same_key_buys_once(alice, bob):
    credit(alice, 300)
    listing, other = make_listing(bob, 100), make_listing(bob, 100, title="Birds")
    assert purchase(alice, listing.pk, key="k").pk == purchase(alice, listing.pk, key="k").pk
    with pytest.raises(ApiError) as refusal:
        purchase(alice, other.pk, key="k")
    assert refusal.value.code == "idempotency_key_reused"
    assert ledger.balance("wallet", alice) == 200


def _own(alice, bob):
    return make_listing(alice, 10)


def _bought(alice, bob):
    listing = make_listing(bob, 10)
    purchase(alice, listing.pk)
    return listing


def _status(status):
    def make(alice, bob):
        listing = make_listing(bob, 10)
        listing.status = status
        listing.save()
        return listing

    return make


def _dear(alice, bob):
    return make_listing(bob, 1000)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_own, "own_listing"),
        (_bought, "already_bought"),
        (_status("withdrawn"), "not_for_sale"),
        (_status("taken_down"), "not_for_sale"),
        (_dear, "insufficient_credits"),
    ],
)
def test_what_can_not_be_bought_charges_nothing(alice, bob, alice_api, make, code):
    credit(alice, 100)
    listing = make(alice, bob)
    before, sales = ledger.balance("wallet", alice), Purchase.objects.count()

    answer = alice_api.post(
        f"/api/v1/listings/{listing.pk}/purchase", {"price": listing.price}, format="json"
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)
    assert ledger.balance("wallet", alice) == before
    assert Purchase.objects.count() == sales


def test_too_few_credits_say_what_is_missing(alice, bob, alice_api):
    credit(alice, 30)
    listing = make_listing(bob, 100)
    error = alice_api.post(f"/api/v1/listings/{listing.pk}/purchase", {"price": 100}, format="json").json()[
        "error"
    ]
    assert error["fields"] == {"price": ["100"], "balance": ["30"], "missing": ["70"]}


def test_a_price_that_has_changed_since_is_refused(alice, bob, alice_api):
    credit(alice, 300)
    listing = make_listing(bob, 200)
    answer = alice_api.post(f"/api/v1/listings/{listing.pk}/purchase", {"price": 100}, format="json")
    assert answer.json()["error"]["code"] == "price_changed"
    assert ledger.balance("wallet", alice) == 300


@pytest.mark.parametrize("listing_id", ["unknown", "\0", "../x"])
def test_unknown_listings_and_drafts_are_404(alice, bob, listing_id):
    with pytest.raises(Http404):
        purchase(alice, listing_id)
    draft = _status("draft")(alice, bob)
    with pytest.raises(Http404):
        purchase(alice, draft.pk)
