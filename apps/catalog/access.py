"""Whose it is, and who may run it. What is not a user's to see is 404, as if it were not there."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.http import Http404

from apps.accounts.models import User
from apps.catalog.models import Listing, Picture, Upload, Version
from marketplace.ids import is_id


def own_listing(user: User, listing_id: str) -> Listing:
    """The user's own listing, in any state. For everything that changes it."""
    return _found(Listing.objects.filter(seller_id=user.pk, pk=listing_id), listing_id, "listing")


def listing_for(user: User | AnonymousUser, listing_id: str) -> Listing:
    """A listing that the user may look at: published, their own, one they have bought (in whatever state it
    is now, so that they are told), or anything for staff. Who is logged out sees what is published."""
    rows = Listing.objects.select_related("seller", "current_version").filter(pk=listing_id)
    if isinstance(user, AnonymousUser):
        rows = rows.filter(status=Listing.Status.PUBLISHED)
    elif not user.is_staff:
        rows = rows.filter(Q(status=Listing.Status.PUBLISHED) | Q(pk__in=bought(user)) | Q(seller_id=user.pk))
    return _found(rows, listing_id, "listing")


def sells(user: User | AnonymousUser, listing: Listing) -> bool:
    """Whether it is the user's own. (Nobody's listing is not that of somebody who is logged out.)"""
    return user.pk is not None and listing.seller_id == user.pk


def own_version(user: User, version_id: str) -> Version:
    """A version of the user's own listing; staff see every one, to help."""
    rows = Version.objects.select_related("listing").prefetch_related("steps").filter(pk=version_id)
    if not user.is_staff:
        rows = rows.filter(listing__seller_id=user.pk)
    return _found(rows, version_id, "version")


def version_for(user: User | AnonymousUser, version_id: str) -> Version:
    """A version whose card the user may see: one of their own, or a ready one of a listing they may see."""
    rows = Version.objects.select_related("listing").prefetch_related("steps").filter(pk=version_id)
    version = _found(rows, version_id, "version")
    if sells(user, version.listing) or user.is_staff:
        return version
    if version.status != Version.Status.READY:
        raise Http404("There is no version with this id.")
    listing_for(user, version.listing_id)
    return version


def upload_for(user: User, upload_id: str) -> Upload:
    return _found(Upload.objects.filter(owner_id=user.pk, pk=upload_id), upload_id, "upload")


def own_picture(user: User, picture_id: str) -> Picture:
    rows = Picture.objects.filter(listing__seller_id=user.pk, pk=picture_id)
    return _found(rows, picture_id, "picture")


def picture_for(user: User | AnonymousUser, picture_id: str) -> Picture:
    """A preview image of a listing that the user may look at."""
    picture = _found(Picture.objects.filter(pk=picture_id), picture_id, "picture")
    listing_for(user, picture.listing_id)
    return picture


def runnable(user: User) -> QuerySet[Listing]:
    """The listings whose weights the user may run as apps: their own, and what they have bought, also after
    it was withdrawn.

    `current_version` is set: there is something to run. What staff took down runs for nobody.
    """
    mine = Listing.objects.filter(
        Q(seller_id=user.pk) | Q(pk__in=bought(user)), current_version__isnull=False
    )
    return mine.exclude(status=Listing.Status.TAKEN_DOWN)


def bought(user: User) -> QuerySet[Listing, dict[str, str]]:
    """The ids of the listings that the user has bought, for a subquery."""
    return Listing.objects.filter(purchases__buyer_id=user.pk).values("pk")


def _found(rows: QuerySet, id_: str, what: str):  # type: ignore[no-untyped-def, type-arg]
    found = rows.first() if is_id(id_) else None
    if found is None:
        raise Http404(f"There is no {what} with this id.")
    return found
