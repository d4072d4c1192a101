"""The pages of the market: who sees what, filters in the address, a flat number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Listing
from apps.catalog.services import search
from tests.payments.conftest import make_listing


def _titles(response) -> list[str]:
    return [listing.title for listing in response.context["page"]]


def test_market_is_for_everybody(charlie_web, boats):
    page = charlie_web.get("/market/")

    assert page.status_code == 200
    assert _titles(page) == ["Boats"]
    assert "alice@example.org" not in page.content.decode()


def test_empty_market_teaches_to_sell(charlie_web):
    assert "Nothing is for sale yet" in charlie_web.get("/market/").content.decode()


def test_what_is_not_published_is_not_there(charlie_web, bob_web, boats):
    for status in ("withdrawn", "taken_down"):
        Listing.objects.filter(pk=boats.pk).update(status=status)

        assert _titles(charlie_web.get("/market/")) == []
        assert charlie_web.get(f"/market/{boats.pk}/").status_code == 404
        assert bob_web.get(f"/market/{boats.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=boat", ["Boats"]),
        ("q=BOÄTS", ["Boats"]),
        ("q=sea+finds", ["Boats"]),
        ("q=oats", []),
        ("q=%2B%2B", []),
        ("q=" + "1" * 64, ["Boats"]),
        ("kind=detection", ["Boats"]),
        ("kind=generation", []),
        ("family=gan", []),
        ("price_min=100&price_max=100", ["Boats"]),
        ("price_min=101", []),
        ("rating_min=4", []),
        ("created_after=2100-01-01", []),
        ("created_before=2000-01-01", []),
    ],
)
def test_filters(charlie_web, boats, query, found):
    page = charlie_web.get(f"/market/?{query}")

    assert _titles(page) == found
    assert page.status_code == 200
    if not found:
        assert "Nothing for sale matches this" in page.content.decode()


def test_a_filter_that_is_wrong_is_left_out_and_told(charlie_web, boats):
    page = charlie_web.get("/market/?kind=boats&price_min=-3&q=boats")

    assert _titles(page) == ["Boats"]
    assert set(page.context["wrong"]) == {"kind", "price_min"}


def test_listing_page_of_somebody_logged_out(charlie_web, boats, settings):
    page = charlie_web.get(f"/market/{boats.pk}/")

    text = page.content.decode()
    assert page.status_code == 200
    assert f"/account/login/?next=/market/{boats.pk}/%23try" in text
    assert "alice@example.org" not in text


def test_try_first_of_all_after_the_samples(bob_web, boats):
    text = bob_web.get(f"/market/{boats.pk}/").content.decode()

    order = [
        "Sample outputs",
        'id="try"',
        'id="card-head"',
        'id="about"',
        'id="reviews"',
        'id="versions-head"',
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize("rows", [10, 1000])
def test_queries_do_not_grow(alice, bob_web, rows):
    made = [make_listing(alice, title=f"Boats {n}") for n in range(10)]
    if rows > 10:
        version = made[0].current_version
        Listing.objects.bulk_create(
            [
                Listing(
                    seller=alice,
                    title=f"Boats {n}",
                    kind="detection",
                    family="yolov5",
                    status="published",
                    published_at=made[0].published_at,
                    current_version=version,
                )
                for n in range(rows - 10)
            ]
        )
    search.index(made[0].pk)
    for query, most in (("", 6), ("?q=boats&kind=detection", 6)):
        with CaptureQueriesContext(connection) as queries:
            assert bob_web.get(f"/market/{query}").status_code == 200

        # session, user, count, page, pictures
        assert len(queries) <= most, [one["sql"] for one in queries]
