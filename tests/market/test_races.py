"""People at the same moment, each on a connection of their own."""

from __future__ import annotations

from collections import Counter

import pytest
from django.apps import apps as django_apps
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.catalog.services import search
from apps.market.models import Moderation, Report, Review, TryCount
from apps.market.services import moderation, reviews, tries
from tests.drive.conftest import shared_database  # noqa: F401 - a fixture
from tests.drive.photos import photo
from tests.payments.conftest import make_listing
from tests.processing.test_jobs_races import at_once

pytestmark = pytest.mark.django_db(
    transaction=True, available_apps=[app.name for app in django_apps.get_app_configs()]
)


@pytest.fixture
def bob(shared_database) -> User:  # noqa: F811
    return User.objects.create_user("bob@example.org")


@pytest.fixture
def listing(shared_database) -> Listing:  # noqa: F811
    return make_listing(User.objects.create_user("alice@example.org"), price=10, description="At sea.")


def _try(user: User, listing: Listing) -> str:
    upload = SimpleUploadedFile("photo.jpg", photo())
    tried = tries.try_out(user, listing.pk, upload=upload, accept="image/*")
    assert tried.allowance
    return "marked"


def test_the_last_free_preview_is_had_by_one_of_ten(bob, listing, server, settings):
    settings.FREE_PREVIEWS_PER_DAY = 3
    _try(bob, listing), _try(bob, listing)

    answers = at_once([lambda: _try(bob, listing)] * 10)

    assert Counter(answers) == {"marked": 1, "no_free_previews": 9}
    assert len(server.calls) == 3
    assert TryCount.objects.get().used == 3


def test_ten_reviews_each_from_two_browsers_are_counted_once_each(listing, sold):
    buyers = [User.objects.create_user(f"buyer{number}@example.org") for number in range(10)]
    for buyer in buyers:
        sold(listing, buyer)

    answers = at_once(
        [
            lambda buyer=buyer, stars=1 + (number + again) % 5: (
                reviews.write(buyer, listing.pk, stars=stars).listing_id
            )
            for number, buyer in enumerate(buyers)
            for again in (0, 1)
        ]
    )

    assert Counter(answers) == {listing.pk: 20}
    kept = list(Review.objects.values_list("stars", flat=True))
    listing.refresh_from_db()
    assert (len(kept), listing.rating_count, listing.rating_sum) == (10, 10, sum(kept))


def test_writing_and_deleting_at_once_keep_the_rating_right(bob, listing, sold):
    sold(listing, bob)

    at_once(
        [lambda: str(reviews.write(bob, listing.pk, stars=5)), lambda: str(reviews.remove(bob, listing.pk))]
        * 6
    )

    kept = list(Review.objects.values_list("stars", flat=True))
    listing.refresh_from_db()
    assert (listing.rating_count, listing.rating_sum) == (len(kept), sum(kept))


def test_a_report_is_kept_once(bob, listing):
    answers = at_once([lambda: moderation.report(bob, listing.pk, cause="rights").cause] * 6)

    assert Counter(answers) == {"rights": 1, "already_reported": 5}
    assert Report.objects.count() == 1


def test_taken_down_once(listing, shared_database):  # noqa: F811
    staff = User.objects.create_user("staff@example.org", is_staff=True)

    answers = at_once([lambda: moderation.take_down(staff, listing.pk, reason="x").status] * 6)

    assert Counter(answers) == {"taken_down": 6}  # one as the status, five as the refusal
    assert Moderation.objects.count() == 1


def test_indexing_at_once_keeps_every_word_once(listing):
    at_once([lambda: str(search.index(listing.pk))] * 6)

    words = [bytes(word) for word in listing.words.values_list("word", flat=True)]
    assert len(words) == len(set(words))
    assert {b"boats", b"sea", b"detection"} <= set(words)
