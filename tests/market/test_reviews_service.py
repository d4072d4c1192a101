"""Reviews by buyers only, one each, and a rating that stays right."""

from __future__ import annotations

import pytest

from apps.catalog.models import Listing
from apps.market.models import Review
from apps.market.services import reviews
from marketplace.api import ApiError


def _rating(listing) -> tuple[int, int, float]:
    return Listing.objects.values_list("rating_count", "rating_sum", "rating").get(pk=listing.pk)


def test_write_change_delete(bob, boats, sold):
    sold(boats, bob)

    reviews.write(bob, boats.pk, stars=5, text=" Finds all of them. ")
    assert _rating(boats) == (1, 5, 5.0)
    reviews.write(bob, boats.pk, stars=2, text="Not in fog.")
    assert _rating(boats) == (1, 2, 2.0)
    assert Review.objects.get().text == "Not in fog."
    reviews.remove(bob, boats.pk)
    assert _rating(boats) == (0, 0, 0.0)
    reviews.remove(bob, boats.pk)
    assert _rating(boats) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("who", "code"), [("bob", "not_bought"), ("alice", "own_listing"), ("staff", "not_bought")]
)
def test_nobody_else_reviews(request, boats, who, code):
    with pytest.raises(ApiError) as refused:
        reviews.write(request.getfixturevalue(who), boats.pk, stars=5)

    assert refused.value.code == code
    assert not Review.objects.exists()
    assert _rating(boats) == (0, 0, 0.0)


@pytest.mark.parametrize(("stars", "text"), [(0, ""), (6, ""), (3, "x" * 2001), (3, "\x00"), (True, "")])
def test_what_can_not_be_kept(bob, boats, sold, stars, text):
    sold(boats, bob)

    with pytest.raises(ApiError) as refused:
        reviews.write(bob, boats.pk, stars=stars, text=text)

    assert refused.value.status_code == 422
    assert not Review.objects.exists()


def test_what_was_taken_down_is_not_reviewed(bob, boats, sold):
    sold(boats, bob)
    Listing.objects.filter(pk=boats.pk).update(status="taken_down", status_reason="stolen")

    with pytest.raises(ApiError, match="taken down"):
        reviews.write(bob, boats.pk, stars=1)


def test_the_rating_stays_when_the_author_leaves(bob, boats, sold):
    sold(boats, bob)
    reviews.write(bob, boats.pk, stars=4)

    bob.delete()

    assert _rating(boats) == (1, 4, 4.0)
    assert Review.objects.get().author is None
