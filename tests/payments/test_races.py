"""Buyers at the same moment, each on a connection of its own."""

from __future__ import annotations

from collections import Counter

import pytest
from django.apps import apps as django_apps

from apps.accounts.models import User
from apps.payments import audit, ledger
from apps.payments.models import Account, Purchase, Transaction
from apps.payments.services import holds, topups
from apps.payments.services.purchases import purchase
from tests.drive.conftest import shared_database  # noqa: F401 - a fixture
from tests.payments.conftest import credit, make_listing
from tests.processing.test_jobs_races import at_once

BUYERS = 50
pytestmark = pytest.mark.django_db(
    transaction=True, available_apps=[app.name for app in django_apps.get_app_configs()]
)


@pytest.fixture
def people(shared_database) -> tuple[User, User]:  # noqa: F811
    return User.objects.create_user("alice@example.org"), User.objects.create_user("bob@example.org")


def test_of_fifty_purchases_with_credit_for_one_exactly_one_succeeds(people):
    alice, bob = people
    credit(alice, 100)
    listings = [make_listing(bob, 100, title=f"Listing {number}").pk for number in range(BUYERS)]

    answers = at_once([lambda pk=pk: type(purchase(alice, pk)).__name__ for pk in listings])

    assert Counter(answers) == {"Purchase": 1, "insufficient_credits": BUYERS - 1}
    assert (ledger.balance("wallet", alice), ledger.balance("earnings", bob)) == (0, 85)
    assert Purchase.objects.count() == Transaction.objects.filter(kind="purchase").count() == 1
    assert list(audit.findings()) == []


def test_one_listing_is_bought_once_by_one_person(people):
    alice, bob = people
    credit(alice, 1000)
    listing = make_listing(bob, 100)

    answers = at_once([lambda: type(purchase(alice, listing.pk)).__name__] * 12)

    assert Counter(answers) == {"Purchase": 1, "already_bought": 11}
    assert ledger.balance("wallet", alice) == 900
    listing.refresh_from_db()
    assert listing.sales_count == 1


def test_sales_of_many_buyers_are_all_counted(people):
    _, bob = people
    buyers = [User.objects.create_user(f"buyer{number}@example.org") for number in range(12)]
    for buyer in buyers:
        credit(buyer, 100)
    listing = make_listing(bob, 100)

    at_once([lambda buyer=buyer: purchase(buyer, listing.pk).pk for buyer in buyers])

    listing.refresh_from_db()
    assert listing.sales_count == 12
    assert ledger.balance("earnings", bob) == 12 * 85
    assert Account.objects.get(code="fees").balance == 12 * 15
    assert list(audit.findings()) == []


def test_two_who_buy_from_each_other_do_not_wait_for_each_other_for_ever(people):
    alice, bob = people
    credit(alice, 2000), credit(bob, 2000)
    calls = []
    for number in range(6):
        of_alice, of_bob = (make_listing(who, 50, title=f"{number}").pk for who in (alice, bob))
        calls += [lambda pk=of_bob: purchase(alice, pk).price, lambda pk=of_alice: purchase(bob, pk).price]

    assert at_once(calls) == [50] * 12
    assert list(audit.findings()) == []


def test_the_same_key_by_many_opens_one_topup(people, settings):
    alice, _ = people
    settings.PAYMENTS, settings.SANDBOX_ALLOWED = "sandbox", True
    assert len(set(at_once([lambda: topups.create(alice, credits=500, key="k").pk] * 6))) == 1


def test_results_that_are_counted_by_several_are_charged_once(people):
    alice, bob = people
    credit(alice, 100)
    holds.open_hold(alice, reference="job:j:1", units=10, unit_price=7, seller=bob)

    charged = at_once([lambda good=good: holds.settle("job:j:1", good) for good in (3, 5, 5, 4, 8, 8)])
    released = at_once([lambda: holds.close("job:j:1")] * 4)

    assert sum(charged) == 8 * 7
    assert sorted(released) == [0, 0, 0, 14]
    assert (ledger.balance("wallet", alice), ledger.balance("held", alice)) == (44, 0)
    assert list(audit.findings()) == []
