"""The page of a listing and what is done on it: try, buy, review, report, download."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.market.models import Report, Review
from apps.payments.models import Purchase
from apps.payments.services import topups
from marketplace.api import ApiError
from tests.drive.photos import photo


def _photo() -> dict:
    return {"file": SimpleUploadedFile("photo.jpg", photo())}


def test_try_without_scripts_gives_the_whole_page(bob_web, boats, server):
    page = bob_web.post(f"/market/{boats.pk}/try/", _photo())

    text = page.content.decode()
    assert page.status_code == 200
    assert "data:image/jpeg;base64," in text
    assert "2</span> of 3 free previews left today" in text
    assert '<span class="mono">1</span> boat' in text
    assert page["Cache-Control"] == "no-store"


def test_try_with_htmx_gives_the_result_alone(bob_web, boats, server):
    page = bob_web.post(f"/market/{boats.pk}/try/", _photo(), headers={"HX-Request": "true"})

    text = page.content.decode()
    assert "<html" not in text
    assert "data:image/jpeg;base64," in text
    assert 'hx-swap-oob="true"' in text


def test_a_try_that_is_refused_says_why(bob_web, boats, server):
    page = bob_web.post(f"/market/{boats.pk}/try/", {})

    assert page.status_code == 422
    assert "A preview needs one photo." in page.content.decode()
    assert "3</span> of 3 free previews left today" in page.content.decode()


def test_a_try_while_the_servers_wake_up_says_so_and_costs_nothing(bob_web, boats, server):
    server.fail = ApiError(503, "waking_up", "They were asleep and are waking up.", retry_after=2)

    alone = bob_web.post(f"/market/{boats.pk}/try/", _photo(), headers={"HX-Request": "true"})
    whole = bob_web.post(f"/market/{boats.pk}/try/", _photo())

    assert (alone.status_code, whole.status_code) == (200, 503)
    assert alone["Retry-After"] == whole["Retry-After"] == "2"
    for page, words in ((alone, "comes by itself"), (whole, "Try it again in a few seconds")):
        text = page.content.decode()
        assert 'data-waking="2"' in text
        assert "Waking up the preview servers…" in text
        assert words in text
        assert "3</span> of 3 free previews left today" in text


def test_trying_leads_back_after_a_log_in(bob_web, boats):
    answer = bob_web.get(f"/market/{boats.pk}/try/")

    assert answer["Location"] == f"/market/{boats.pk}/#try"


def test_buy_shows_price_balance_and_licence(bob, bob_web, boats):
    topups.grant(bob, credits=250, key="t", reason="test")

    text = bob_web.get(f"/market/{boats.pk}/buy/").content.decode()

    for words in ("100 credits", ">250<", ">150<", "nobody but the seller can download them", "New versions"):
        assert words in text


def test_buy_too_poor_leads_to_a_top_up_and_back(bob, bob_web, boats):
    topups.grant(bob, credits=30, key="t", reason="test")

    text = bob_web.get(f"/market/{boats.pk}/buy/").content.decode()
    assert f"/wallet/top-up/?credits=70&amp;next=%2Fmarket%2F{boats.pk}%2Fbuy%2F" in text
    assert "Buy for" not in text.partition("<main")[2]

    answer = bob_web.post(f"/market/{boats.pk}/buy/", {"price": "100"})
    assert answer.status_code == 409
    assert not Purchase.objects.exists()


def test_buy(bob, bob_web, boats):
    topups.grant(bob, credits=250, key="t", reason="test")

    answer = bob_web.post(f"/market/{boats.pk}/buy/", {"price": "100", "key": "k1"}, follow=True)

    assert Purchase.objects.get().buyer == bob
    text = answer.content.decode()
    assert "Open in the studio" in text
    assert f"/studio/{boats.pk}/" in text
    assert bob_web.get(f"/studio/{boats.pk}/").status_code == 200
    again = bob_web.post(f"/market/{boats.pk}/buy/", {"price": "100", "key": "k2"})
    assert again.status_code == 409
    assert "You have bought it already" in again.content.decode()
    assert Purchase.objects.count() == 1


def test_buy_at_a_price_that_has_changed(bob, bob_web, boats):
    topups.grant(bob, credits=250, key="t", reason="test")
    Listing.objects.filter(pk=boats.pk).update(price=200)

    answer = bob_web.post(f"/market/{boats.pk}/buy/", {"price": "100"})

    assert answer.status_code == 409
    assert "The price is 200 credits now" in answer.content.decode()
    assert "Buy for 200 credits" in answer.content.decode()
    assert not Purchase.objects.exists()


def test_buy_ones_own(alice_web, boats):
    assert "your own listing" in alice_web.get(f"/market/{boats.pk}/buy/").content.decode()
    assert alice_web.post(f"/market/{boats.pk}/buy/", {"price": "100"}).status_code == 409


def test_what_was_bought_and_taken_down_says_so(bob, bob_web, boats, sold):
    sold(boats, bob)
    Listing.objects.filter(pk=boats.pk).update(status="taken_down", status_reason="Somebody else's.")

    text = bob_web.get(f"/market/{boats.pk}/").content.decode()
    assert "Taken down by the staff." in text
    assert "Somebody else&#x27;s." in text
    assert "Open in the studio" not in text
    studio = bob_web.get(f"/studio/{boats.pk}/")
    assert (studio.status_code, studio["Location"]) == (302, f"/market/{boats.pk}/")
    assert "does not run" in bob_web.get("/market/bought/").content.decode()


def test_review_on_the_page(bob, bob_web, boats, sold):
    assert "Write a review" not in bob_web.get(f"/market/{boats.pk}/").content.decode()
    sold(boats, bob)
    assert "Write a review" in bob_web.get(f"/market/{boats.pk}/").content.decode()

    bob_web.post(f"/market/{boats.pk}/review/", {"stars": "4", "text": "<b>Good</b>"})

    text = bob_web.get(f"/market/{boats.pk}/").content.decode()
    assert "&lt;b&gt;Good&lt;/b&gt;" in text
    assert "Change your review" in text
    bob_web.post(f"/market/{boats.pk}/review/", {"stars": "x"})
    assert Review.objects.get().stars == 4
    bob_web.post(f"/market/{boats.pk}/review/delete/")
    assert not Review.objects.exists()


def test_report_on_the_page(bob_web, staff_web, boats):
    assert bob_web.get(f"/market/{boats.pk}/report/").status_code == 200
    assert bob_web.post(f"/market/{boats.pk}/report/", {}).status_code == 422
    bob_web.post(f"/market/{boats.pk}/report/", {"cause": "rights", "text": "Mine."})
    assert Report.objects.get().text == "Mine."
    assert "Mine." in staff_web.get("/market/reports/").content.decode()


@pytest.mark.parametrize("rows", [1, 30])
def test_queries_do_not_grow_with_reviews(boats, bob_web, rows):
    authors = User.objects.bulk_create([User(email=f"b{n}@example.org") for n in range(rows)])
    Review.objects.bulk_create([Review(listing=boats, author=one, stars=4, version=1) for one in authors])
    Listing.objects.filter(pk=boats.pk).update(rating_count=rows, rating_sum=4 * rows)

    with CaptureQueriesContext(connection) as queries:
        bob_web.get(f"/market/{boats.pk}/")

    assert len(queries) <= 17, len(queries)


def test_staff_queue_queries_do_not_grow(staff_web, alice, bob):
    from tests.payments.conftest import make_listing

    counts = []
    for _ in range(2):
        for _ in range(6):
            Report.objects.create(listing=make_listing(alice), reporter=bob, cause="rights")
        with CaptureQueriesContext(connection) as queries:
            staff_web.get("/market/reports/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
