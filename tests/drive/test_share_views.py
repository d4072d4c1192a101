"""What charlie sees with a link, and what not."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.drive.models import Folder, Image, ShareLink
from apps.drive.services import folders, images, shares
from tests.drive import photos
from tests.drive.test_metadata import SECRET, with_place


@pytest.fixture
def shared(alice):
    top = folders.create(alice, "Private")
    holiday = folders.create(alice, "Holiday", top)
    day = folders.create(alice, "Day 1", holiday)
    return {
        "top": top,
        "holiday": holiday,
        "day": day,
        "outside": photos.add(alice, top, "outside.jpg"),
        "image": images.add(alice, holiday, "cat.jpg", io.BytesIO(with_place("jpeg"))),
        "deep": photos.add(alice, day, "deep.jpg"),
        "share": shares.create(holiday, 3600),
    }


def urls(shared) -> list[str]:
    base = f"/s/{shared['share'].token}"
    image, deep = shared["image"].pk, shared["deep"].pk
    return [
        f"{base}/",
        f"{base}/folder/{shared['day'].pk}/",
        f"{base}/folder/{shared['day'].pk}/more/",
        f"{base}/folder/{shared['holiday'].pk}/zip",
        f"{base}/photo/{image}/",
        f"{base}/photo/{deep}/thumb",
        f"{base}/photo/{deep}/view",
        f"{base}/photo/{image}/content",
        f"{base}/photo/{image}/content?download",
    ]


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_everything_below_can_be_seen_without_places_and_is_not_indexed(charlie_web, shared):
    for url in urls(shared):
        answer = charlie_web.get(url)

        assert answer.status_code == 200, url
        content = body(answer)
        assert SECRET.encode() not in content
        assert b"Private" not in content
        assert b"alice" not in content.lower()
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert answer["Referrer-Policy"] == "no-referrer"


def test_page_lists_photos_and_folders(charlie_web, shared):
    page = charlie_web.get(f"/s/{shared['share'].token}/").content.decode()

    assert "Holiday" in page
    assert "cat.jpg" in page
    assert "Day 1" in page
    assert "outside.jpg" not in page
    assert 'type="checkbox"' not in page


def test_zip(charlie_web, shared):
    answer = charlie_web.get(f"/s/{shared['share'].token}/folder/{shared['holiday'].pk}/zip")

    assert zipfile.ZipFile(io.BytesIO(body(answer))).namelist() == ["Day 1/", "Day 1/deep.jpg", "cat.jpg"]


def assert_gone(client, shared) -> None:
    for url in urls(shared):
        answer = client.get(url)
        assert answer.status_code == 404, url
        assert b"This link shows nothing any more" in answer.content
        assert answer["X-Robots-Tag"] == "noindex, nofollow"


def test_expired(charlie_web, shared, monkeypatch):
    share = shared["share"]
    monkeypatch.setattr("django.utils.timezone.now", lambda: share.expires - timedelta(seconds=1))
    assert charlie_web.get(f"/s/{share.token}/").status_code == 200
    monkeypatch.setattr("django.utils.timezone.now", lambda: share.expires)

    assert_gone(charlie_web, shared)


def test_revoked(charlie_web, shared):
    shares.revoke(shared["share"])

    assert_gone(charlie_web, shared)


@pytest.mark.parametrize("which", ["top", "holiday"])
def test_trashed(charlie_web, shared, which):
    folders.trash(shared[which])

    assert_gone(charlie_web, shared)


def test_owner_gone(charlie_web, shared, alice):
    alice.delete()

    assert_gone(charlie_web, shared)


def test_nothing_beside_or_above_it(charlie_web, shared, alice, bob):
    base = f"/s/{shared['share'].token}"
    other = photos.add(bob, folders.create(bob, "Bob's"), "bob.jpg")
    trashed = photos.add(alice, shared["holiday"], "old.jpg")
    images.trash(trashed)

    for image in (shared["outside"], other, trashed):
        for what in ("", "thumb", "view", "content"):
            assert charlie_web.get(f"{base}/photo/{image.pk}/{what}").status_code == 404
    for folder in (shared["top"], other.folder):
        for what in ("", "more/", "zip"):
            assert charlie_web.get(f"{base}/folder/{folder.pk}/{what}").status_code == 404


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "..", "a" * 300])
def test_made_up_tokens(charlie_web, shared, token):
    assert charlie_web.get(f"/s/{token}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_read_only(charlie_web, shared, method):
    before = [list(model.objects.order_by("pk").values()) for model in (Folder, Image, ShareLink)]

    for url in urls(shared):
        assert getattr(charlie_web, method)(url).status_code == 405

    assert [list(model.objects.order_by("pk").values()) for model in (Folder, Image, ShareLink)] == before


def test_share_ends_at_its_expiry_and_not_later_than_told(shared):
    left = shared["share"].expires - timezone.now()

    assert timedelta(minutes=59) < left <= timedelta(hours=1)
