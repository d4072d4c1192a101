"""What the market's pages read, each with a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing
from apps.drive.models import Image
from apps.market.models import Moderation, Report, Review
from apps.payments.models import Purchase


@dataclass(frozen=True)
class Standing:
    """What a listing is to somebody."""

    own: bool = False
    purchase: Purchase | None = None

    @property
    def runs(self) -> bool:
        return self.own or self.purchase is not None


def standing(user: User | AnonymousUser, listing: Listing) -> Standing:
    if isinstance(user, AnonymousUser):
        return Standing()
    if access.sells(user, listing):
        return Standing(own=True)
    return Standing(purchase=Purchase.objects.filter(buyer=user, listing=listing).first())


def reviews_of(listing: Listing) -> QuerySet[Review]:
    """The newest first, with their authors."""
    return listing.reviews.select_related("author").order_by("-updated", "id")


def stars_of(listing: Listing) -> list[tuple[int, int]]:
    """(stars, how many gave so many), five first."""
    found = dict(listing.reviews.values_list("stars").annotate(n=Count("id")).order_by())
    return [(stars, found.get(stars, 0)) for stars in range(5, 0, -1)]


def review_by(user: User | AnonymousUser, listing: Listing) -> Review | None:
    if isinstance(user, AnonymousUser):
        return None
    return Review.objects.filter(listing=listing, author=user).first()


def recent_photos(user: User | AnonymousUser, limit: int = 8) -> list[Image]:
    """Of the user's drive, to try something on."""
    if isinstance(user, AnonymousUser):
        return []
    rows = Image.objects.filter(owner=user, trashed_at=None, folder__trashed_at=None)
    return list(rows.order_by("-created", "id")[:limit])


@dataclass(frozen=True)
class Seller:
    """What everybody may know about somebody who sells."""

    id: str
    name: str
    listings: int
    sales: int
    rating: float
    ratings: int


def seller(person: User) -> Seller:
    rows = Listing.objects.filter(seller=person, status=Listing.Status.PUBLISHED)
    found = rows.aggregate(
        n=Count("id"), sales=Sum("sales_count"), stars=Sum("rating_sum"), ratings=Sum("rating_count")
    )
    ratings = found["ratings"] or 0
    return Seller(
        id=person.pk,
        name=person.public_name,
        listings=found["n"],
        sales=found["sales"] or 0,
        rating=(found["stars"] or 0) / ratings if ratings else 0.0,
        ratings=ratings,
    )


def bought_by(user: User) -> QuerySet[Purchase]:
    """The newest first, with what a card shows."""
    rows = Purchase.objects.filter(buyer=user).select_related("listing__current_version", "listing__seller")
    return rows.prefetch_related("listing__pictures").order_by("-created", "id")


def reported() -> QuerySet[Listing]:
    """For staff: listings with open reports, the longest waiting first; each with `open_reports`, `since`."""
    rows = Listing.objects.annotate(
        open_reports=Count("reports", filter=Q(reports__status=Report.Status.OPEN)),
        since=Min("reports__created", filter=Q(reports__status=Report.Status.OPEN)),
    )
    return rows.filter(open_reports__gt=0).select_related("seller").order_by("since", "id")


def taken_down() -> QuerySet[Listing]:
    """For staff: what is down, appeals first; each with `appealed` (when, or None)."""
    rows = Listing.objects.filter(status=Listing.Status.TAKEN_DOWN).annotate(
        taken=Max("moderation__created", filter=Q(moderation__action=Moderation.Action.TAKE_DOWN)),
        appealed=Max("moderation__created", filter=Q(moderation__action=Moderation.Action.APPEAL)),
    )
    return rows.select_related("seller").order_by("-appealed", "-taken", "id")


def reports_of(listings: list[Listing]) -> dict[str, list[Report]]:
    """The open ones by listing, oldest first."""
    rows = Report.objects.filter(listing__in=listings, status=Report.Status.OPEN)
    found: dict[str, list[Report]] = {}
    for report in rows.select_related("reporter").order_by("created", "id"):
        found.setdefault(report.listing_id, []).append(report)
    return found


def history_of(listing: Listing) -> list[Moderation]:
    return list(listing.moderation.select_related("actor").order_by("-created", "-pk"))


def last_actions(limit: int = 30) -> list[Moderation]:
    """The audit log's newest rows."""
    return list(Moderation.objects.select_related("listing", "actor").order_by("-created", "-pk")[:limit])
