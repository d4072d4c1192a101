"""REST of listings and versions: what sellers do, what others see, and what nobody else can change."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.services import accounts
from apps.catalog.converter import Answer
from apps.catalog.models import Listing, Picture, Upload, Version
from apps.catalog.services import intake, listings, pictures, uploads, versions
from apps.catalog.services.versions import VersionRequest
from tests.drive.photos import photo

BASE = "/api/v1"
NEW = {"title": "Shapes", "family": "yolov5"}


def test_a_draft_becomes_a_listing_for_sale(alice_api, bob_api, converter, queued):
    made = alice_api.post(f"{BASE}/listings", NEW, format="json")
    assert made.status_code == 201
    listing = made.json()
    assert (listing["status"], listing["kind"], listing["versions"]) == ("draft", "detection", [])
    url = f"{BASE}/listings/{listing['id']}"
    assert alice_api.post(f"{url}/publish").json()["error"]["code"] == "no_version"

    file = SimpleUploadedFile("w.onnx", b"weights")
    version = alice_api.post(f"{url}/versions", {"file": file, "labels": '["a", "b"]'})
    assert version.status_code == 202
    assert (version.json()["status"], len(version.json()["steps"])) == ("uploaded", 4)
    assert Version.objects.get().labels == ["a", "b"]
    intake.run(version.json()["id"], converter)
    assert alice_api.post(f"{url}/publish").json()["error"]["fields"] == {"description": ["is needed"]}
    changed = alice_api.patch(url, {"description": "Finds them.", "price": 7}, format="json").json()
    assert (changed["description"], changed["price"], changed["title"]) == ("Finds them.", 7, "Shapes")
    assert bob_api.get(url).status_code == 404

    assert alice_api.post(f"{url}/publish").json()["status"] == "published"

    seen = bob_api.get(url).json()
    assert (seen["seller"]["name"], seen["current_version"]) == ("Alice", version.json()["id"])
    assert seen["versions"][0]["card"]["classes"] == ["circle", "square", "triangle"]
    sample = bob_api.get(seen["versions"][0]["samples"][0])
    assert (sample.status_code, sample["Content-Type"]) == (200, "image/jpeg")
    assert [one["id"] for one in bob_api.get(f"{BASE}/listings").json()["items"]] == [listing["id"]]
    assert alice_api.post(f"{url}/withdraw").json()["status"] == "withdrawn"
    assert bob_api.get(url).status_code == 404
    assert bob_api.get(f"{BASE}/listings").json()["count"] == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 81}, "title"),
        ({"title": "a\u0007b"}, "title"),
        ({"price": -1}, "price"),
        ({"price": 1_000_001}, "price"),
        ({"price_per_image": 10_001}, "price_per_image"),
        ({"licence": "own"}, "licence"),
        ({"description": "x" * 4001}, "description"),
    ],
)
def test_what_can_not_be_kept(alice_api, draft, change, field):
    before = Listing.objects.values().get()

    answer = alice_api.patch(f"{BASE}/listings/{draft.pk}", change, format="json")

    assert answer.status_code == 422
    assert field in answer.json()["error"]["fields"]
    assert Listing.objects.values().get() == before


@pytest.fixture
def everything(alice, published, upload_version):
    """A published listing with a picture, an open upload, a ready version and one on its way."""
    uploads.begin(alice, published, name="open.onnx", size=9)
    pictures.add(alice, published, io.BytesIO(photo(2)))
    upload_version(b"next")
    return published


def _snapshot():
    return [list(model.objects.order_by("pk").values()) for model in (Listing, Version, Upload, Picture)]


@pytest.mark.parametrize(("client", "expected"), [("bob_api", 404), ("staff_api", 404), ("charlie_api", 401)])
def test_nobody_else_changes_anything(request, client, expected, everything):
    api = request.getfixturevalue(client)
    before = _snapshot()
    url = f"{BASE}/listings/{everything.pk}"
    upload, picture = (
        f"{BASE}/uploads/{Upload.objects.get().pk}",
        f"{BASE}/pictures/{Picture.objects.get().pk}",
    )

    answers = [
        api.patch(url, {"price": 0}, format="json"),
        api.delete(url),
        api.post(f"{url}/publish"),
        api.post(f"{url}/withdraw"),
        api.post(f"{url}/uploads", {"name": "x", "size": 1}, format="json"),
        api.post(f"{url}/versions", {"upload": Upload.objects.get().pk}, format="json"),
        api.post(f"{url}/versions", {"file": SimpleUploadedFile("w.onnx", b"w")}),
        api.post(f"{url}/pictures", {"files": [SimpleUploadedFile("a.jpg", photo(3))]}),
        api.get(upload),
        api.generic("PATCH", upload, b"x", "application/octet-stream", headers={"Upload-Offset": "0"}),
        api.delete(upload),
        api.delete(picture),
    ]

    assert [answer.status_code for answer in answers] == [expected] * len(answers)
    assert _snapshot() == before


def test_others_see_ready_versions_of_what_is_for_sale_only(alice_api, bob_api, staff_api, everything):
    ready, waiting = Version.objects.order_by("number")
    url = f"{BASE}/listings/{everything.pk}/versions"

    assert [v["number"] for v in alice_api.get(url).json()["items"]] == [2, 1]
    assert [v["number"] for v in staff_api.get(url).json()["items"]] == [2, 1]
    assert [v["number"] for v in bob_api.get(url).json()["items"]] == [1]
    assert bob_api.get(f"{BASE}/versions/{ready.pk}").status_code == 200
    assert bob_api.get(f"{BASE}/versions/{waiting.pk}").status_code == 404
    assert staff_api.get(f"{BASE}/versions/{waiting.pk}").status_code == 200
    listings.withdraw(everything.seller, everything.pk)
    for path in (
        f"versions/{ready.pk}",
        f"versions/{ready.pk}/samples/1",
        f"pictures/{Picture.objects.get().pk}",
    ):
        assert bob_api.get(f"{BASE}/{path}").status_code == 404
        assert alice_api.get(f"{BASE}/{path}").status_code == 200


def test_the_same_upload_and_the_same_key_make_one_version(alice, alice_api, draft):
    url = f"{BASE}/listings/{draft.pk}/versions"
    upload = versions.receive(alice, draft, name="w.onnx", file=io.BytesIO(b"weights"))
    first = alice_api.post(url, {"upload": upload.pk}, format="json").json()
    again = alice_api.post(url, {"upload": upload.pk}, format="json").json()
    assert first["id"] == again["id"]

    def send(data: bytes):
        file = SimpleUploadedFile("w.onnx", data)
        return alice_api.post(url, {"file": file}, headers={"Idempotency-Key": "k"})

    second, third, other = send(b"file"), send(b"file"), send(b"another")
    assert second.json()["id"] == third.json()["id"] != first["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert Version.objects.count() == 2
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"upload": ""}, {"upload": "nothing"}, {"upload": "\0"}, {"labels": ["a"]}]
)
def test_a_version_needs_a_file_of_this_listing(alice_api, draft, body):
    answer = alice_api.post(f"{BASE}/listings/{draft.pk}/versions", body, format="json")

    assert answer.status_code in {404, 422}
    assert not Version.objects.exists()


def test_incomplete_and_foreign_uploads_make_no_version(alice, alice_api, draft):
    upload = uploads.begin(alice, draft, name="w.onnx", size=5)
    other = listings.create(alice, title="Other", family="gan")
    complete = versions.receive(alice, other, name="w.onnx", file=io.BytesIO(b"weights"))
    url = f"{BASE}/listings/{draft.pk}/versions"

    assert alice_api.post(url, {"upload": upload.pk}, format="json").json()["error"]["code"] == "incomplete"
    assert alice_api.post(url, {"upload": complete.pk}, format="json").status_code == 422
    assert not Version.objects.exists()


@pytest.mark.parametrize(
    ("labels", "architecture"),
    [(("a", "a"), ""), (("",), ""), (("x" * 101,), ""), (("a\u0000",), ""), ((), "../x"), ((), "-x")],
)
def test_labels_and_architecture_are_checked(alice, draft, labels, architecture):
    request = VersionRequest(draft.pk, "", labels, architecture)

    with pytest.raises(Exception, match="can't be made"):
        versions.create_from_file(alice, request, "w.onnx", io.BytesIO(b"x"))

    assert not Version.objects.exists()
    assert not Upload.objects.exists()


def test_a_rejected_version_can_be_read_and_not_changed(alice_api, upload_version, converter):
    version = upload_version()
    converter.answers["convert"] = Answer("unsafe_pickle", "It names os.system, which is refused.")
    intake.run(version.pk, converter)

    shown = alice_api.get(f"{BASE}/versions/{version.pk}").json()

    assert (shown["status"], shown["code"]) == ("rejected", "unsafe_pickle")
    assert shown["steps"][1]["reason"] == "It names os.system, which is refused."
    assert alice_api.patch(f"{BASE}/versions/{version.pk}", {}, format="json").status_code == 405
    assert alice_api.delete(f"{BASE}/versions/{version.pk}").status_code == 405


def test_pictures_are_bounded_and_without_their_place(alice_api, draft):
    url = f"{BASE}/listings/{draft.pk}/pictures"
    for seed in range(6):
        assert alice_api.post(url, {"files": [SimpleUploadedFile("a.jpg", photo(seed))]}).status_code == 201
    seventh = alice_api.post(url, {"files": [SimpleUploadedFile("a.jpg", photo(9))]})
    assert (seventh.status_code, seventh.json()["error"]["code"]) == (409, "too_many_pictures")
    again = alice_api.post(url, {"files": [SimpleUploadedFile("a.jpg", photo(0))]})
    assert again.status_code == 201
    assert Picture.objects.count() == 6
    first = alice_api.get(again.json()["items"][0]["url"])
    assert b"EXIF" not in first.content
    assert (
        alice_api.get(again.json()["items"][0]["url"], headers={"If-None-Match": first["ETag"]}).status_code
        == 304
    )


def test_market_list_filters_orders_and_takes_a_fixed_number_of_queries(
    bob_api, alice, ready, django_assert_num_queries
):
    for number, (title, family, price) in enumerate(
        [("Road signs", "yolov5", 30), ("Comic", "gan", 10), ("Digits", "classifier", 20)]
    ):
        listing = listings.create(alice, title=title, family=family, price=price, description="Words.")
        ready(b"%d" % number, listing)
        listings.publish(alice, listing.pk)

    def titles(**query):
        return [one["title"] for one in bob_api.get(f"{BASE}/listings", query).json()["items"]]

    assert titles() == ["Digits", "Comic", "Road signs"]
    assert titles(order="price") == ["Comic", "Digits", "Road signs"]
    assert titles(order="oldest")[0] == "Road signs"
    assert titles(kind="generation") == ["Comic"]
    assert titles(family="classifier") == ["Digits"]
    assert titles(q="road SIGNS") == ["Road signs"]
    assert titles(created_after="2999-01-01") == []
    for bad in ({"kind": "x"}, {"order": "x"}, {"created_after": "never"}, {"q": "\0"}):
        assert bob_api.get(f"{BASE}/listings", bad).status_code == 422
    # count, listings with seller and version, pictures, versions, steps
    with django_assert_num_queries(5):
        bob_api.get(f"{BASE}/listings")


def test_deleting_a_draft_takes_its_files_along(alice_api, upload_version, draft, settings):
    version = upload_version()
    path = settings.DATA_DIR / "uploads" / version.upload_id
    assert path.exists()

    assert alice_api.delete(f"{BASE}/listings/{draft.pk}").status_code == 204

    assert not path.exists()
    assert not Listing.objects.exists()


def test_an_account_that_ends_leaves_what_was_bought(alice, published):
    unsold = listings.create(alice, title="Unsold", family="gan")
    Listing.objects.filter(pk=published.pk).update(sales_count=1)

    accounts.delete(alice)

    published.refresh_from_db()
    assert (published.status, published.seller) == ("withdrawn", None)
    assert not Listing.objects.filter(pk=unsold.pk).exists()
    assert published.versions.get().status == "ready"
