"""Links to weights: for whom, for how long."""

from __future__ import annotations

import pytest
from django.core import signing
from django.http import Http404

import jobfolder
from apps.catalog.models import Listing
from apps.market.services import downloads
from apps.payments.models import Purchase

BYTES = b"onnx of boats"


@pytest.fixture
def weights(boats, settings):
    path = jobfolder.weights_path(settings.DATA_DIR, "1" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(BYTES)
    return path


def _get(client, url: str) -> tuple[int, bytes]:
    answer = client.get(url)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, body


def _licence(listing, licence: str) -> None:
    Listing.objects.filter(pk=listing.pk).update(licence=licence)
    listing.refresh_from_db()


def test_run_only_is_for_the_seller_alone(alice, bob, staff, boats, weights, sold, charlie_web):
    sold(boats, bob)

    for who in (bob, staff):
        with pytest.raises(Http404):
            downloads.link(who, boats.pk)
    url = downloads.link(alice, boats.pk).url
    assert _get(charlie_web, url) == (200, BYTES)
    assert downloads.open_link(url.split("/")[-2]).name == "boats-v1.onnx"


def test_buyers_by_their_licence(bob, staff, boats, weights, sold, charlie_web):
    _licence(boats, "download")
    with pytest.raises(Http404):
        downloads.link(bob, boats.pk)
    sold(boats, bob)
    url = downloads.link(bob, boats.pk).url

    assert _get(charlie_web, url) == (200, BYTES)
    # The terms of the day of purchase hold, whatever the seller changes.
    _licence(boats, "run")
    assert _get(charlie_web, url) == (200, BYTES)
    with pytest.raises(Http404):
        downloads.link(staff, boats.pk)


def test_expired_forged_and_foreign_links(bob, alice, boats, weights, sold, charlie_web, settings):
    _licence(boats, "download")
    sold(boats, bob)
    url = downloads.link(bob, boats.pk).url
    assert charlie_web.get(url[:-2] + "x/").status_code == 404
    assert charlie_web.get("/market/file/nonsense/").status_code == 404
    other = signing.dumps([bob.pk, boats.current_version_id], salt="another")
    assert charlie_web.get(f"/market/file/{other}/").status_code == 404

    settings.DOWNLOAD_LINK_SECONDS = -1
    expired = charlie_web.get(url)
    assert expired.status_code == 410
    assert "expired" in expired.content.decode()


@pytest.mark.parametrize("change", ["taken_down", "left", "unbought"])
def test_a_link_stands_for_the_right_of_now(bob, boats, weights, sold, charlie_web, change):
    _licence(boats, "download")
    sold(boats, bob)
    url = downloads.link(bob, boats.pk).url

    if change == "taken_down":
        Listing.objects.filter(pk=boats.pk).update(status="taken_down", status_reason="x")
    elif change == "left":
        type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Purchase.objects.filter(buyer=bob).delete()

    assert charlie_web.get(url).status_code == 404
