"""The market over REST."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.market.models import Report
from tests.drive.photos import photo


def _photo() -> dict:
    return {"file": SimpleUploadedFile("photo.jpg", photo())}


def test_search(bob_api, boats):
    for query, count in (
        ("q=boat", 1),
        ("q=oat", 0),
        ("price_max=99", 0),
        ("price_min=100&price_max=100&kind=detection&order=rating", 1),
        ("rating_min=4.5", 0),
        ("created_before=2000-01-01", 0),
        (f"seller={boats.seller_id}", 1),
        ("seller=nobody", 0),
    ):
        assert bob_api.get(f"/api/v1/listings?{query}").json()["count"] == count, query


@pytest.mark.parametrize(
    "query",
    ["price_min=-1", "price_max=x", "rating_min=6", "rating_min=nan", "created_before=soon", "order=up"],
)
def test_search_that_can_not_be_read(bob_api, boats, query):
    answer = bob_api.get(f"/api/v1/listings?{query}")

    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == [query.partition("=")[0]]


def test_preview_before_buying(bob_api, boats, server, settings):
    settings.FREE_PREVIEWS_PER_DAY = 1

    answer = bob_api.post(f"/api/v1/listings/{boats.pk}/preview", _photo())

    body = answer.json()
    assert answer.status_code == 200
    assert (body["marked"], body["free_previews"]) == (True, {"limit": 1, "left": 0})
    assert answer["Free-Previews-Left"] == "0"
    refused = bob_api.post(f"/api/v1/listings/{boats.pk}/preview", _photo())
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "no_free_previews")
    assert int(refused["Retry-After"]) > 0


def test_preview_as_an_image(bob_api, boats, server):
    answer = bob_api.post(f"/api/v1/listings/{boats.pk}/preview", _photo(), headers={"Accept": "image/png"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    none = bob_api.post(f"/api/v1/listings/{boats.pk}/preview", _photo(), headers={"Accept": "text/plain"})
    assert none.status_code == 406


def test_reviews(bob, bob_api, alice_api, boats, sold):
    url = f"/api/v1/listings/{boats.pk}/reviews"
    assert bob_api.post(url, {"stars": 4}, format="json").status_code == 403
    sold(boats, bob)

    assert bob_api.post(url, {"stars": 4, "text": "Good."}, format="json").status_code == 201
    assert bob_api.post(url, {"stars": 5, "text": "Better."}, format="json").status_code == 200
    assert bob_api.post(url, {"stars": 9}, format="json").status_code == 422

    body = alice_api.get(url).json()
    assert body["count"] == 1
    assert body["items"][0]["author"] == {"id": bob.pk, "name": "Bob"}
    assert (body["items"][0]["stars"], body["items"][0]["text"]) == (5, "Better.")
    assert alice_api.get(f"/api/v1/listings/{boats.pk}").json()["rating"] == {"average": 5.0, "count": 1}
    assert bob_api.delete(url).status_code == 204
    assert alice_api.get(url).json()["count"] == 0


def test_report(bob_api, boats):
    url = f"/api/v1/listings/{boats.pk}/report"
    assert bob_api.post(url, {"cause": "misleading"}, format="json").status_code == 201
    assert bob_api.post(url, {"cause": "misleading"}, format="json").status_code == 409
    assert Report.objects.count() == 1


def test_download_link(bob_api, alice_api, boats):
    assert bob_api.post(f"/api/v1/listings/{boats.pk}/download").status_code == 404
    body = alice_api.post(f"/api/v1/listings/{boats.pk}/download").json()
    assert body["url"].startswith("http://testserver/market/file/")
    assert body["expires"]


def test_bought_apps_are_there_at_once(bob, bob_api, boats, sold):
    assert boats.pk not in [app["id"] for app in bob_api.get("/api/v1/apps").json()["items"]]
    sold(boats, bob)
    app = next(app for app in bob_api.get("/api/v1/apps").json()["items"] if app["id"] == boats.pk)
    assert (app["source"], app["price_per_image"]) == ("purchased", 2)
