"""What lists and pages show, each with a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, Q, QuerySet

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing, Upload, Version
from apps.catalog.services import search as finder

ORDERS = {
    "newest": ("-published_at", "id"),
    "oldest": ("published_at", "id"),
    "price": ("price", "id"),
    "rating": ("-rating", "-rating_count", "id"),
    "popular": ("-sales_count", "id"),
}


@dataclass(frozen=True)
class Search:
    """What to look for among what is for sale. Empty: everything."""

    q: str = ""
    kind: str = ""
    family: str = ""
    order: str = "newest"
    price_min: int | None = None
    price_max: int | None = None
    rating_min: float | None = None
    created_after: datetime | None = None  # first offered at that time or later
    created_before: datetime | None = None  # … before that time
    seller: str = ""  # id


def published(search: Search) -> QuerySet[Listing]:
    """What can be bought. The orders that are not by date end with the newest."""
    rows = Listing.objects.filter(status=Listing.Status.PUBLISHED)
    exact = {"kind": search.kind, "family": search.family, "seller_id": search.seller}
    bounds = {
        "price__gte": search.price_min,
        "price__lte": search.price_max,
        "rating__gte": search.rating_min,
        "published_at__gte": search.created_after,
        "published_at__lt": search.created_before,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    rows = rows.filter(**{name: value for name, value in bounds.items() if value is not None})
    return finder.matching(rows, search.q).order_by(*ORDERS[search.order])


def for_market(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """With what a card of the market shows, and nothing more."""
    return rows.select_related("seller", "current_version").prefetch_related("pictures")


def of_seller(user: User) -> QuerySet[Listing]:
    """A seller's own, in every state, the newest first."""
    return _for_cards(Listing.objects.filter(seller=user)).order_by("-created", "id")


def for_pages(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """With everything that one listing's page shows."""
    return _for_cards(rows)


def shown(user: User | AnonymousUser, listing_id: str) -> Listing:
    """A listing that the user may look at, with pictures and versions. 404 otherwise."""
    listing = access.listing_for(user, listing_id)
    return _for_cards(Listing.objects.filter(pk=listing.pk)).get()


def visible_versions(listing: Listing, user: User | AnonymousUser) -> list[Version]:
    """Newest first. Others than its seller (and staff) see the ready ones only."""
    versions = list(listing.versions.all())
    if access.sells(user, listing) or user.is_staff:
        return versions
    return [version for version in versions if version.status == Version.Status.READY]


def open_uploads(user: User, listing: Listing) -> list[Upload]:
    return list(Upload.objects.filter(owner=user, listing=listing).order_by("-created"))


def runnable_listings(user: User) -> list[Listing]:
    """For the studio: the listings the user may run, by title, with their current version."""
    return list(access.runnable(user).select_related("current_version").order_by("title", "id"))


def runnable_listing(user: User, listing_id: str) -> Listing | None:
    return access.runnable(user).select_related("current_version").filter(pk=listing_id).first()


def taken_down(listing_id: str, user: User | None = None) -> str:
    """Why staff took it down, or nothing if they did not. `user`: only if they sell or have bought it."""
    rows = Listing.objects.filter(pk=listing_id, status=Listing.Status.TAKEN_DOWN)
    if user is not None:
        rows = rows.filter(Q(seller_id=user.pk) | Q(pk__in=access.bought(user)))
    return rows.values_list("status_reason", flat=True).first() or ""


def listing_of_app(app_id: str) -> Listing | None:
    """Whoever asks: for work that was accepted earlier."""
    rows = Listing.objects.filter(pk=app_id, current_version__isnull=False)
    return rows.select_related("current_version").first()


def _for_cards(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    versions = Version.objects.order_by("-number").prefetch_related("steps")
    return rows.select_related("seller", "current_version").prefetch_related(
        "pictures", Prefetch("versions", versions)
    )
