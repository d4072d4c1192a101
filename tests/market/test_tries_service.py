"""Free previews: how many, for whom, marked, given back when they fail."""

from __future__ import annotations

import base64
import io
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image, ImageChops

from apps.catalog.models import Listing
from apps.market import marking
from apps.market.models import TryCount
from apps.market.services import tries
from apps.payments import ledger
from marketplace.api import ApiError
from tests.drive.photos import photo
from tests.market.conftest import picture


def _try(user, listing, **options):
    upload = SimpleUploadedFile("photo.jpg", photo())
    return tries.try_out(user, listing.pk, upload=upload, **options)


def test_three_a_day_for_each_listing_and_person(bob, staff, boats, server, settings):
    settings.FREE_PREVIEWS_PER_DAY = 3

    left = [_try(bob, boats).allowance.left for _ in range(3)]

    assert left == [2, 1, 0]
    with pytest.raises(ApiError) as refused:
        _try(bob, boats)
    assert (refused.value.status_code, refused.value.code) == (429, "no_free_previews")
    assert 0 < refused.value.wait <= 86_400
    assert len(server.calls) == 3
    assert _try(staff, boats).allowance.left == 2

    TryCount.objects.update(day=timezone.now().date() - timedelta(days=1))
    assert _try(bob, boats).allowance.left == 2


def test_it_runs_the_current_weights_and_costs_nothing(bob, boats, server):
    _try(bob, boats)

    processor, fields, accept = server.calls[0]
    assert (processor, fields["weights"], accept) == ("detect", "1" * 64, "application/json")
    assert ledger.balance("wallet", bob) == 0


def test_a_try_that_fails_is_given_back(bob, boats, server):
    server.fail = ApiError(503, "no_preview_server", "none")

    for _ in range(5):
        with pytest.raises(ApiError, match="none"):
            _try(bob, boats)

    assert tries.allowance(bob, boats).left == 3


def test_a_photo_that_is_none_is_refused_before_it_counts(bob, boats, server):
    with pytest.raises(ApiError) as refused:
        tries.try_out(bob, boats.pk, upload=SimpleUploadedFile("a.txt", b"no photo"))

    assert refused.value.code == "unsupported_type"
    assert server.calls == []
    assert tries.allowance(bob, boats).left == 3


def test_result_is_marked(bob, boats, server):
    answer = json.loads(_try(bob, boats).preview.body)

    made = Image.open(io.BytesIO(base64.b64decode(answer["image"]["base64"])))
    assert answer["marked"] is True
    assert (made.format, made.size) == ("JPEG", (900, 600))
    plain = Image.new("RGB", made.size, "navy")
    # Changed all over: in each ninth of the picture, and visibly.
    for x in range(3):
        for y in range(3):
            box = (x * 300, y * 200, x * 300 + 300, y * 200 + 200)
            difference = ImageChops.difference(made.crop(box), plain.crop(box)).convert("L")
            assert difference.getextrema()[1] > 60, box
    assert answer["data"]["detections"][0] == {
        "label": "boat",
        "class_id": 0,
        "confidence": 0.99,
        "box": [1, 2, 31, 40],
    }


def test_image_alone_is_marked_too(bob, boats, server):
    preview = _try(bob, boats, accept="image/*").preview

    assert preview.content_type == "image/jpeg"
    assert Image.open(io.BytesIO(preview.body)).size == (900, 600)
    assert preview.body != picture()


def test_data_says_less():
    many = [{"label": "a", "class_id": 0, "confidence": n / 100, "box": [n, n, 1, 1]} for n in range(50)]
    marked = marking.mark_data({"detections": many, "counts": {"a": 50}})
    assert len(marked["detections"]) == marking.MOST_FOUND
    assert marked["left_out"] == 30
    assert marked["detections"][0]["confidence"] == 0.49
    assert marked["counts"] == {"a": 50}

    top = [{"label": str(n), "class_id": n, "confidence": 0.123456} for n in range(5)]
    marked = marking.mark_data({"probs": [0.2] * 5, "top": top})
    assert "probs" not in marked
    assert [one["confidence"] for one in marked["top"]] == [0.12] * 3


def test_who_bought_it_has_no_limit_and_pays(bob, boats, server, sold, settings):
    settings.FREE_PREVIEWS_PER_DAY = 0
    sold(boats, bob)
    before = ledger.balance("wallet", bob)

    tried = _try(bob, boats, accept="image/*")

    assert tried.allowance is None
    assert tried.preview.body == picture()
    assert ledger.balance("wallet", bob) == before - 2


def test_the_seller_pays_nothing(alice, boats, server):
    assert _try(alice, boats, accept="image/*").preview.body == picture()
    assert ledger.balance("wallet", alice) == 0


def test_what_is_not_for_sale_can_not_be_tried(bob, staff, boats, server):
    Listing.objects.filter(pk=boats.pk).update(status="withdrawn")

    with pytest.raises(ApiError) as refused:
        _try(staff, boats)
    assert refused.value.code == "not_for_sale"
    assert server.calls == []


def test_old_counts_are_forgotten(bob, boats, server):
    _try(bob, boats)
    TryCount.objects.update(day=timezone.now().date() - timedelta(days=9))

    tries.forget_old()

    assert not TryCount.objects.exists()
