"""Reviews: by buyers only, one for each listing. The listing's rating changes in the same transaction."""

from __future__ import annotations

import unicodedata

from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing
from apps.drive import locks
from apps.market.models import Review
from apps.payments.services.purchases import has_bought
from marketplace.api import ApiError, conflict, invalid

MAX_TEXT = 2000
S = Listing.Status


def write(user: User, listing_id: str, *, stars: int, text: str = "") -> Review:
    """The user's review, made or changed. 403 `not_bought`; 409 `own_listing`, `taken_down`; 422."""
    text = _checked(stars, text)
    with locks.owner(user.pk):  # of two at once, the second one changes what the first made
        listing = access.listing_for(user, listing_id)
        refuse_unless_may_review(user, listing)
        now = timezone.now()
        review = Review.objects.filter(listing=listing, author=user).first()
        if review is None:
            version = listing.current_version.number if listing.current_version else 1
            review = Review.objects.create(
                listing=listing,
                author=user,
                stars=stars,
                text=text,
                version=version,
                created=now,
                updated=now,
            )
            _count(listing.pk, reviews=1, stars=stars)
        else:
            before, review.stars, review.text, review.updated = review.stars, stars, text, now
            review.save(update_fields=["stars", "text", "updated"])
            _count(listing.pk, reviews=0, stars=stars - before)
    return review


def remove(user: User, listing_id: str) -> None:
    """Take the user's review away. Again, or without one, changes nothing."""
    with locks.owner(user.pk):
        listing = access.listing_for(user, listing_id)
        review = Review.objects.filter(listing=listing, author=user).first()
        if review:
            review.delete()
            _count(listing.pk, reviews=-1, stars=-review.stars)


def may_review(user: User, listing: Listing) -> bool:
    try:
        refuse_unless_may_review(user, listing)
    except ApiError:
        return False
    return True


def refuse_unless_may_review(user: User, listing: Listing) -> None:
    if access.sells(user, listing):
        raise conflict("own_listing", "It is your own listing: reviews are by those who bought it.")
    if not has_bought(user, listing.pk):
        raise ApiError(403, "not_bought", "Reviews are by those who bought it. Nothing was kept.")
    if listing.status == S.TAKEN_DOWN:
        raise conflict("taken_down", "The listing was taken down, so it can't be reviewed any more.")


def _count(listing_id: str, *, reviews: int, stars: int) -> None:
    """Add to what is there, in the database: of many at once, none is lost."""
    Listing.objects.filter(pk=listing_id).update(
        rating_count=F("rating_count") + reviews, rating_sum=F("rating_sum") + stars
    )


def _checked(stars: int, text: str) -> str:
    wrong = {}
    if type(stars) is not int or not 1 <= stars <= 5:
        wrong["stars"] = ["must be a whole number from 1 to 5"]
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT:
        wrong["text"] = [f"must be at most {MAX_TEXT} characters"]
    elif any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in text):
        wrong["text"] = ["holds characters that can't be shown"]
    if wrong:
        raise invalid("invalid", "The review can't be kept like that.", wrong)
    return text
