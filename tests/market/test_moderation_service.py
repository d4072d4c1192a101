"""Reports, take-downs, appeals: who may, what is kept, what stops running."""

from __future__ import annotations

import logging

import pytest
from django.http import Http404

from apps.catalog import access
from apps.catalog.models import Listing
from apps.market import queries
from apps.market.models import Moderation, Report
from apps.market.services import moderation
from apps.processing import catalog
from marketplace.api import ApiError


def _status(listing) -> str:
    return Listing.objects.values_list("status", flat=True).get(pk=listing.pk)


def test_report_once(bob, staff, boats):
    moderation.report(bob, boats.pk, cause="rights", text="It is mine.")

    with pytest.raises(ApiError) as again:
        moderation.report(bob, boats.pk, cause="harmful")
    assert again.value.code == "already_reported"
    moderation.report(staff, boats.pk, cause="harmful")
    assert [(one.pk, one.open_reports) for one in queries.reported()] == [(boats.pk, 2)]


def test_reports_that_are_refused(alice, bob, boats):
    for who, fields, code in (
        (alice, {"cause": "rights"}, "own_listing"),
        (bob, {"cause": "boats"}, "invalid"),
        (bob, {"cause": "other"}, "invalid"),
        (bob, {"cause": "rights", "text": "x" * 1001}, "invalid"),
    ):
        with pytest.raises(ApiError) as refused:
            moderation.report(who, boats.pk, **fields)
        assert refused.value.code == code
    assert not Report.objects.exists()


def test_take_down_and_put_back(alice, bob, staff, boats, sold, caplog):
    sold(boats, bob)
    moderation.report(bob, boats.pk, cause="rights")
    with caplog.at_level(logging.WARNING, "apps.market.services.moderation"):
        moderation.take_down(staff, boats.pk, reason="Somebody else's weights.")

    assert f"take_down of listing {boats.pk} by {staff.pk}: Somebody else's weights." in caplog.text
    assert _status(boats) == "taken_down"
    assert Report.objects.get().status == "upheld"
    for user in (alice, bob):
        assert boats.pk not in [app.id for app in catalog.apps_for(user)]
        assert access.listing_for(user, boats.pk).status_reason == "Somebody else's weights."
        with pytest.raises(ApiError) as told:
            catalog.app_for(user, boats.pk)
        assert (told.value.status_code, told.value.code) == (409, "taken_down")
        assert "Somebody else's weights." in told.value.message

    moderation.appeal(alice, boats.pk, text="They are mine, see the log.")
    with pytest.raises(ApiError, match="appealed already"):
        moderation.appeal(alice, boats.pk, text="Well?")
    moderation.restore(staff, boats.pk, reason="The seller is right.")

    assert _status(boats) == "published"
    assert boats.pk in [app.id for app in catalog.apps_for(bob)]
    assert [one.action for one in queries.history_of(boats)] == ["restore", "appeal", "take_down"]


def test_a_stranger_is_not_told(staff, boats, django_user_model):
    stranger = django_user_model.objects.create_user("dora@example.org")
    moderation.take_down(staff, boats.pk, reason="No.")

    with pytest.raises(Http404):
        catalog.app_for(stranger, boats.pk)


def test_what_was_withdrawn_comes_back_withdrawn(staff, boats):
    Listing.objects.filter(pk=boats.pk).update(status="withdrawn")
    moderation.take_down(staff, boats.pk, reason="No.")
    moderation.restore(staff, boats.pk, reason="Yes.")

    assert _status(boats) == "withdrawn"


def test_without_its_seller_it_comes_back_withdrawn(staff, boats):
    moderation.take_down(staff, boats.pk, reason="No.")
    Listing.objects.filter(pk=boats.pk).update(seller=None)
    moderation.restore(staff, boats.pk, reason="Yes.")

    assert _status(boats) == "withdrawn"


def test_dismissing_leaves_it_and_is_noted(bob, staff, boats):
    moderation.report(bob, boats.pk, cause="misleading")

    assert moderation.dismiss(staff, boats.pk, reason="It does what it says.") == 1
    assert moderation.dismiss(staff, boats.pk, reason="Again.") == 0
    assert _status(boats) == "published"
    assert [one.action for one in Moderation.objects.all()] == ["dismiss"]


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("action", [moderation.take_down, moderation.restore, moderation.dismiss])
def test_staff_only(request, boats, who, action):
    with pytest.raises(Http404):
        action(request.getfixturevalue(who), boats.pk, reason="Because.")

    assert _status(boats) == "published"
    assert not Moderation.objects.exists()


def test_a_reason_is_needed(staff, boats):
    with pytest.raises(ApiError) as refused:
        moderation.take_down(staff, boats.pk, reason="  ")

    assert refused.value.status_code == 422
    assert _status(boats) == "published"


def test_wrong_states(alice, staff, boats):
    with pytest.raises(ApiError, match="not taken down"):
        moderation.restore(staff, boats.pk, reason="x")
    with pytest.raises(ApiError, match="not taken down"):
        moderation.appeal(alice, boats.pk, text="x")
    moderation.take_down(staff, boats.pk, reason="x")
    with pytest.raises(ApiError, match="already"):
        moderation.take_down(staff, boats.pk, reason="x")
    assert Moderation.objects.count() == 1
