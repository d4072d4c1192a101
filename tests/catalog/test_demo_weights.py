"""The sample weights as listings of two demo sellers."""

from __future__ import annotations

import json

import pytest

from apps.accounts.models import User
from apps.catalog import tasks
from apps.catalog.models import Listing, Version
from apps.catalog.services import intake, listings, pictures
from marketplace.demo import weights

TOLD = {"title": "Comic", "description": "Paints.", "family": "gan", "price": 300, "price_per_image": 1}


@pytest.fixture
def seed(alice, samples, django_capture_on_commit_callbacks):
    def seed() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            weights.seed(alice, samples)

    return seed


@pytest.fixture
def samples(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "enqueue_publish", lambda listing_id: None)
    for slug, told in (("comic", TOLD), ("digits", TOLD | {"title": "Digits", "family": "classifier"})):
        (tmp_path / f"{slug}.json").write_text(json.dumps(told))
        (tmp_path / f"{slug}.onnx").write_bytes(slug.encode())
    (tmp_path / "lost.json").write_text(json.dumps(TOLD))
    return tmp_path


def test_two_sellers_get_their_listings_through_intake(alice, seed, converter, queued):
    seed()
    assert len(queued) == 2
    assert set(Listing.objects.values_list("status", flat=True)) == {"draft"}
    for version_id in queued:
        intake.run(version_id, converter)

    seed()  # the next start, or the task behind the intake

    found = {one.title: one for one in Listing.objects.all()}
    assert {one.status for one in found.values()} == {"published"}
    assert found["Digits"].seller == alice
    second = found["Comic"].seller
    assert (second.email, second.has_usable_password()) == (weights.SECOND[0], False)
    assert (found["Comic"].price, found["Comic"].price_per_image) == (300, 1)
    assert Version.objects.count() == 2


def test_again_changes_nothing_and_withdrawn_stays_withdrawn(seed, converter, queued):
    seed()
    for version_id in queued:
        intake.run(version_id, converter)
    seed()
    comic = Listing.objects.get(title="Comic")
    listings.withdraw(comic.seller, comic.pk)
    queued.clear()

    seed()

    assert queued == []
    assert Listing.objects.get(pk=comic.pk).status == "withdrawn"
    assert (Listing.objects.count(), User.objects.count()) == (2, 2)


def test_changed_weights_are_a_new_version(seed, samples, queued):
    seed()
    (samples / "digits.onnx").write_bytes(b"trained longer")
    queued.clear()

    seed()

    assert len(queued) == 1
    assert Version.objects.get(pk=queued[0]).number == 2


def test_the_shape_finder_has_a_picture_of_shapes_that_stays_removed(alice, seed, samples):
    (samples / "shapes.json").write_text(json.dumps(TOLD | {"title": "Shapes", "family": "yolov5"}))
    (samples / "shapes.onnx").write_bytes(b"shapes")
    seed()
    seed()
    shapes = Listing.objects.get(title="Shapes")
    picture = shapes.pictures.get()
    assert (picture.width, picture.height) == (600, 400)
    assert not Listing.objects.get(title=TOLD["title"]).pictures.exists(), "none is shipped for it"

    pictures.remove(alice, picture.pk)
    seed()

    assert not shapes.pictures.exists()
