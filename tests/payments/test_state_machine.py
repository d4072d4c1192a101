"""Whatever people, providers and workers do, in whatever order: the sum is zero, nobody is below zero, what
came in is what top-ups say, and the audit finds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.accounts.models import User
from apps.payments import audit, ledger
from apps.payments.models import Account, Entry, Hold, Payout, TopUp
from apps.payments.providers import sandbox
from apps.payments.providers.base import ProviderError
from apps.payments.services import adjustments, holds, payouts, topups, webhooks
from apps.payments.services.purchases import purchase
from marketplace.api import ApiError
from marketplace.ids import new_id
from tests.payments.conftest import make_listing

PEOPLE = st.integers(0, 2)
CREDITS = st.integers(1, 1500)
PEOPLE_KINDS = ("wallet", "held", "earnings", "transit", "debt")


@contextmanager
def _refusals() -> Iterator[None]:
    """A refusal is an answer; what it had begun is undone."""
    try:
        with transaction.atomic():
            yield
    except ApiError as error:
        assert error.status_code in {409, 422}


def _receive(event) -> None:
    import stripe

    body = json.dumps(event)
    webhooks.receive(body.encode(), stripe.WebhookSignature.generate_signature_header(body, sandbox.secret()))


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.people = [User.objects.create_user(f"{new_id()}@example.org") for _ in range(3)]
        self.staff = User.objects.create_user(f"{new_id()}@example.org", is_staff=True)
        self.listings = [
            make_listing(person, 100 * (number + 1)) for number, person in enumerate(self.people)
        ]
        self.jobs = 0
        for person in self.people:
            payouts.connect(person, "http://localhost/")

    def teardown(self) -> None:
        try:
            # Once at the end: entries are never changed, so what was wrong before still is.
            assert list(audit.findings()) == []
        finally:
            transaction.set_rollback(True)
            self.outer.__exit__(None, None, None)

    def _topup(self, number: int) -> TopUp | None:
        rows = list(TopUp.objects.order_by("id"))
        return rows[number % len(rows)] if rows else None

    def _hold(self, number: int) -> Hold | None:
        rows = list(Hold.objects.order_by("id"))
        return rows[number % len(rows)] if rows else None

    @rule(who=PEOPLE, credits=CREDITS)
    def open_topup(self, who, credits):
        with _refusals():
            topups.create(self.people[who], credits=credits)

    @rule(number=st.integers(0, 50), kind=st.sampled_from(["paid", "unpaid", "failed", "expired"]))
    def session_event(self, number, kind):
        if topup := self._topup(number):
            named = {"failed": "async_payment_failed", "expired": "expired"}.get(kind, "completed")
            event = sandbox.session_event(topup, named, "paid" if kind == "paid" else "unpaid")
            event["id"] += f"_{kind}"
            _receive(event)

    @rule(number=st.integers(0, 50), part=st.integers(0, 100))
    def refund(self, number, part):
        if topup := self._topup(number):
            _receive(sandbox.refund_event(topup, topup.amount * part // 100))

    @rule(number=st.integers(0, 50), kind=st.sampled_from(["needs_response", "won", "lost"]))
    def dispute(self, number, kind):
        if topup := self._topup(number):
            event = sandbox.dispute_event(topup, "created" if kind == "needs_response" else "closed", kind)
            event["id"] += f"_{kind}"
            _receive(event)

    @rule(buyer=PEOPLE, listing=PEOPLE)
    def buy(self, buyer, listing):
        with _refusals():
            purchase(self.people[buyer], self.listings[listing].pk)

    @rule(who=PEOPLE, seller=PEOPLE, units=st.integers(1, 20), price=st.integers(1, 60))
    def hold(self, who, seller, units, price):
        self.jobs += 1
        with _refusals():
            holds.open_hold(
                self.people[who],
                reference=f"job:{self.jobs}:1",
                units=units,
                unit_price=price,
                seller=self.people[seller],
            )

    @rule(number=st.integers(0, 50), good=st.integers(-3, 25))
    def settle(self, number, good):
        if hold := self._hold(number):
            holds.settle(hold.reference, good)

    @rule(number=st.integers(0, 50))
    def release(self, number):
        if hold := self._hold(number):
            holds.close(hold.reference)

    @rule(who=PEOPLE, works=st.booleans())
    def preview(self, who, works):
        with _refusals():
            try:
                with holds.for_preview(
                    self.people[who], unit_price=9, seller=self.people[0], title="", key=None, digest=""
                ):
                    if not works:
                        raise ProviderError("the preview failed", temporary=True)
            except ProviderError:
                pass

    @rule(who=PEOPLE, credits=CREDITS)
    def payout(self, who, credits):
        with _refusals():
            payouts.request(self.people[who], credits=credits)

    @precondition(lambda self: Payout.objects.exists())
    @rule(number=st.integers(0, 20), how=st.sampled_from(["send", "fail", "reverse"]))
    def payout_ends(self, number, how):
        rows = list(Payout.objects.order_by("id"))
        row = rows[number % len(rows)]
        if how == "send":
            payouts.send(row.pk)
        elif how == "fail":
            payouts._end(row.pk, Payout.Status.FAILED, reason="refused")
        else:
            payouts.reversed_by_provider(row.transfer_id)

    @rule(who=PEOPLE, credits=CREDITS)
    def spend_earnings(self, who, credits):
        with _refusals():
            payouts.to_wallet(self.people[who], credits=credits, key=new_id())

    @rule(who=PEOPLE, credits=st.integers(-800, 800))
    def adjust(self, who, credits):
        with _refusals():
            adjustments.adjust(self.staff, user=self.people[who], credits=credits, reason="why", key=new_id())

    @invariant()
    def the_sum_is_zero(self):
        assert (Entry.objects.aggregate(sum=Sum("amount"))["sum"] or 0) == 0
        assert (Account.objects.aggregate(sum=Sum("balance"))["sum"] or 0) == 0

    @invariant()
    def nobody_is_below_zero(self):
        people = Account.objects.filter(kind__in=["wallet", "held", "earnings", "transit"], balance__lt=0)
        assert not people.exists()

    @invariant()
    def who_owes_has_nothing_to_spend(self):
        owing = Account.objects.filter(kind="debt", balance__lt=0).values("owner")
        assert not Account.objects.filter(kind="wallet", owner__in=owing).exclude(balance=0).exists()

    @invariant()
    def what_came_in_is_what_top_ups_say(self):
        paid = sum(row.credits - row.taken_back for row in TopUp.objects.filter(granted=True))
        out = sum(row.credits for row in Payout.objects.filter(status="paid"))
        assert ledger.external("sandbox", "sandbox").balance == out - paid


@pytest.mark.django_db
def test_money_is_right_whatever_happens(settings):
    settings.TOPUP_MIN, settings.PAYOUT_MIN = 1, 1
    run_state_machine_as_test(Money, settings=_SETTINGS)


_SETTINGS = settings(
    max_examples=10,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
