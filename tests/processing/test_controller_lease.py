"""One controller at a time, and a quick change when it dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.processing.controller.lease import RENEW, Holder
from apps.processing.models import Lease

pytestmark = pytest.mark.django_db


def expire() -> None:
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_the_first_holds_and_the_second_waits(clock):
    first, second = Holder(clock=clock.monotonic), Holder(clock=clock.monotonic)
    assert first.hold() is True
    assert second.hold() is False
    assert Lease.objects.get().holder == first.holder


def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_notices(clock):
    first, second = Holder(clock=clock.monotonic), Holder(clock=clock.monotonic)
    first.hold()
    expire()
    assert second.hold() is True
    clock.move(RENEW)
    assert first.hold() is False
    assert Lease.objects.get().holder == second.holder


def test_a_released_lease_is_free_at_once(clock):
    first, second = Holder(clock=clock.monotonic), Holder(clock=clock.monotonic)
    first.hold()
    first.release()
    assert second.hold() is True


def test_releasing_does_not_take_it_from_another(clock):
    first, second = Holder(clock=clock.monotonic), Holder(clock=clock.monotonic)
    first.hold()
    expire()
    second.hold()
    first.release()
    assert Lease.objects.get().holder == second.holder


def test_renewing_costs_one_query_a_second(clock, django_assert_num_queries):
    holder = Holder(clock=clock.monotonic)
    holder.hold()
    with django_assert_num_queries(0):
        assert holder.hold() is True
    clock.move(RENEW)
    with django_assert_num_queries(1):
        assert holder.hold() is True
    assert Lease.objects.get().until > timezone.now() + timedelta(seconds=3)
