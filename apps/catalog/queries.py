"""What lists and pages show, each with a fixed number of queries."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing, Upload, Version

ORDERS = {
    "newest": ("-published_at", "id"),
    "oldest": ("published_at", "id"),
    "price": ("price", "id"),
    "rating": ("-rating", "-rating_count", "id"),
    "popular": ("-sales_count", "id"),
}


def published(
    *,
    q: str = "",
    kind: str = "",
    family: str = "",
    order: str = "newest",
    created_after: datetime | None = None,
) -> QuerySet[Listing]:
    """What can be bought, with what a card shows."""
    rows = Listing.objects.filter(status=Listing.Status.PUBLISHED)
    if kind:
        rows = rows.filter(kind=kind)
    if family:
        rows = rows.filter(family=family)
    if created_after:
        rows = rows.filter(published_at__gte=created_after)
    for word in q.split()[:8]:
        rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word))
    return _for_cards(rows).order_by(*ORDERS[order])


def of_seller(user: User) -> QuerySet[Listing]:
    """A seller's own, in every state, the newest first."""
    return _for_cards(Listing.objects.filter(seller=user)).order_by("-created", "id")


def for_pages(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """With everything that one listing's page shows."""
    return _for_cards(rows)


def shown(user: User, listing_id: str) -> Listing:
    """A listing that the user may look at, with pictures and versions. 404 otherwise."""
    listing = access.listing_for(user, listing_id)
    return _for_cards(Listing.objects.filter(pk=listing.pk)).get()


def visible_versions(listing: Listing, user: User) -> list[Version]:
    """Newest first. Others than its seller (and staff) see the ready ones only."""
    versions = list(listing.versions.all())
    if listing.seller_id == user.pk or user.is_staff:
        return versions
    return [version for version in versions if version.status == Version.Status.READY]


def open_uploads(user: User, listing: Listing) -> list[Upload]:
    return list(Upload.objects.filter(owner=user, listing=listing).order_by("-created"))


def runnable_listings(user: User) -> list[Listing]:
    """For the studio: the listings the user may run, by title, with their current version."""
    return list(access.runnable(user).select_related("current_version").order_by("title", "id"))


def runnable_listing(user: User, listing_id: str) -> Listing | None:
    return access.runnable(user).select_related("current_version").filter(pk=listing_id).first()


def listing_of_app(app_id: str) -> Listing | None:
    """Whoever asks: for work that was accepted earlier."""
    rows = Listing.objects.filter(pk=app_id, current_version__isnull=False)
    return rows.select_related("current_version").first()


def _for_cards(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    versions = Version.objects.order_by("-number").prefetch_related("steps")
    return rows.select_related("seller", "current_version").prefetch_related(
        "pictures", Prefetch("versions", versions)
    )
