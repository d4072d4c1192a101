"""Every route of the market, for everybody: who may, who may not, and that nothing changed."""

from __future__ import annotations

import pytest

from apps.catalog.models import Listing
from apps.market.models import Moderation, Report, Review, TryCount
from apps.payments.models import Purchase
from tests.payments.conftest import make_listing

PUBLIC = ["/market/", "/market/{id}/", "/market/sellers/{seller}/"]
# (address, form): logged-out people are sent to log in.
ACTS = [
    ("try", {"image": "x"}),
    ("buy", {"price": "100"}),
    ("download", {}),
    ("review", {"stars": "5"}),
    ("review/delete", {}),
    ("report", {"cause": "rights"}),
    ("appeal", {"text": "x"}),
    ("moderate", {"action": "take_down", "reason": "x"}),
]


def _state(listing) -> tuple:
    listing.refresh_from_db()
    counts = [model.objects.count() for model in (TryCount, Review, Report, Moderation, Purchase)]
    return (listing.status, listing.rating_count, listing.rating_sum, *counts)


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("who", ["charlie_web", "alice_web", "bob_web", "staff_web"])
def test_public_pages(request, boats, alice, path, who):
    page = request.getfixturevalue(who).get(path.format(id=boats.pk, seller=alice.pk))

    assert page.status_code == 200


@pytest.mark.parametrize("path", ["/market/bought/", "/market/reports/"])
def test_pages_behind_the_log_in(charlie_web, db, path):
    answer = charlie_web.get(path)

    assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")


def test_reports_are_the_staffs(alice_web, bob_web, staff_web, boats):
    assert alice_web.get("/market/reports/").status_code == 404
    assert bob_web.get("/market/reports/").status_code == 404
    assert staff_web.get("/market/reports/").status_code == 200


@pytest.mark.parametrize(("act", "form"), ACTS)
def test_acts_need_a_log_in(charlie_web, boats, act, form):
    before = _state(boats)

    answer = charlie_web.post(f"/market/{boats.pk}/{act}/", form)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/?next=")
    assert _state(boats) == before


@pytest.mark.parametrize(("act", "form"), ACTS)
@pytest.mark.parametrize("status", ["draft", "withdrawn", "taken_down"])
def test_what_a_stranger_can_not_see_they_can_not_act_on(bob_web, boats, act, form, status):
    Listing.objects.filter(pk=boats.pk).update(status=status)
    before = _state(boats)

    answer = bob_web.post(f"/market/{boats.pk}/{act}/", form)

    if act == "buy" and status != "draft":  # withdrawn between seeing and buying: told, not unknown
        assert answer.status_code == 409
    elif act in {"review", "appeal"}:
        assert answer.status_code in {302, 404}
    else:
        assert answer.status_code == 404
    assert _state(boats) == before


@pytest.mark.parametrize("who", ["alice_web", "bob_web"])
@pytest.mark.parametrize("action", ["take_down", "restore", "dismiss"])
def test_only_staff_moderate(request, boats, who, action):
    before = _state(boats)

    answer = request.getfixturevalue(who).post(
        f"/market/{boats.pk}/moderate/", {"action": action, "reason": "x"}
    )

    assert answer.status_code == 404
    assert _state(boats) == before


def test_staff_moderate(staff_web, boats):
    staff_web.post(f"/market/{boats.pk}/moderate/", {"action": "take_down", "reason": "Stolen."})

    boats.refresh_from_db()
    assert (boats.status, boats.status_reason) == ("taken_down", "Stolen.")
    assert (
        staff_web.post(f"/market/{boats.pk}/moderate/", {"action": "boat", "reason": "x"}).status_code == 404
    )


@pytest.mark.parametrize("who", ["bob_web", "staff_web"])
def test_only_the_seller_appeals(request, boats, who):
    Listing.objects.filter(pk=boats.pk).update(status="taken_down", status_reason="x")
    before = _state(boats)

    assert request.getfixturevalue(who).post(f"/market/{boats.pk}/appeal/", {"text": "x"}).status_code == 404
    assert _state(boats) == before


def test_pictures_follow_their_listing(charlie_web, bob_web, alice_web, staff_web, boats):
    Listing.objects.filter(pk=boats.pk).update(status="draft")
    url = f"/market/samples/{boats.current_version_id}/1/"
    version = boats.current_version
    version.card = {"samples": [{"number": 1, "source": "cat.jpg"}]}
    version.save()

    assert charlie_web.get(url).status_code == 404
    assert bob_web.get(url).status_code == 404


def test_nobodys_listing_is_not_that_of_who_is_logged_out(charlie_web, boats):
    Listing.objects.filter(pk=boats.pk).update(status="withdrawn", seller=None)

    assert charlie_web.get(f"/market/{boats.pk}/").status_code == 404
    assert charlie_web.get(f"/market/samples/{boats.current_version_id}/1/").status_code == 404


def test_seller_page_of_somebody_who_does_not_sell(charlie_web, bob, alice, boats):
    assert charlie_web.get(f"/market/sellers/{bob.pk}/").status_code == 404
    assert charlie_web.get("/market/sellers/nobody/").status_code == 404
    text = charlie_web.get(f"/market/sellers/{alice.pk}/").content.decode()
    assert "Boats" in text
    assert "alice@example.org" not in text


def test_a_seller_without_a_name_shows_nothing_of_the_address(charlie_web, alice, boats):
    alice.name = ""
    alice.save()

    for path in ("/market/", f"/market/{boats.pk}/", f"/market/sellers/{alice.pk}/"):
        assert "alice" not in charlie_web.get(path).content.decode().lower()


# --- API ------------------------------------------------------------------------------------------

API = [
    ("post", "preview", {"image": "x"}),
    ("get", "reviews", {}),
    ("post", "reviews", {"stars": 5}),
    ("delete", "reviews", {}),
    ("post", "download", {}),
    ("post", "report", {"cause": "rights"}),
]


@pytest.mark.parametrize(("method", "what", "body"), API)
def test_api_needs_a_token(charlie_api, boats, method, what, body):
    before = _state(boats)

    answer = getattr(charlie_api, method)(f"/api/v1/listings/{boats.pk}/{what}", body, format="json")

    assert answer.status_code == 401
    assert _state(boats) == before


@pytest.mark.parametrize(("method", "what", "body"), API)
def test_api_of_what_is_not_there(bob_api, boats, method, what, body):
    Listing.objects.filter(pk=boats.pk).update(status="draft")
    before = _state(boats)

    for listing in (boats.pk, "nothing"):
        answer = getattr(bob_api, method)(f"/api/v1/listings/{listing}/{what}", body, format="json")
        assert answer.status_code == 404
    assert _state(boats) == before


def test_bought_shows_ones_own(bob_web, staff_web, bob, alice, boats, sold):
    sold(boats, bob)
    make_listing(alice, title="Cars")

    assert [one.title for one in bob_web.get("/market/bought/").context["page"]] == ["Boats"]
    assert list(staff_web.get("/market/bought/").context["page"]) == []
