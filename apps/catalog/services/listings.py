"""What a seller does to a listing: make, change, publish, withdraw, delete."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.db.models import ProtectedError, RestrictedError
from django.db.models.functions import Coalesce, Now

from apps.accounts.models import User
from apps.catalog import access, storage
from apps.catalog.models import KIND_OF, MAX_PRICE, MAX_PRICE_PER_IMAGE, Family, Listing
from apps.catalog.services import search
from apps.drive import locks
from marketplace.api import conflict, invalid

S = Listing.Status
CHANGEABLE = ("title", "description", "price", "price_per_image", "licence", "commercial_use")
MAX_LISTINGS = 200  # of one seller
MAX_TITLE, MAX_DESCRIPTION = 80, 4000


def create(user: User, *, title: str, family: str, **fields: Any) -> Listing:
    """A draft. 409 `too_many_listings`, 422 `invalid`."""
    values = _checked({"title": title, **fields})
    if family not in Family.values:
        text = f"must be one of {', '.join(Family.values)}"
        raise invalid("invalid", "There is no such family.", {"family": [text]})
    with locks.owner(user.pk):
        if Listing.objects.filter(seller=user).count() >= MAX_LISTINGS:
            text = f"You have {MAX_LISTINGS} listings, the most allowed. Delete a draft first."
            raise conflict("too_many_listings", text)
        made = Listing.objects.create(seller=user, family=family, kind=KIND_OF[Family(family)], **values)
        search.index(made.pk)
        return made


def change(user: User, listing_id: str, **fields: Any) -> Listing:
    """Title, description, price, licence. What was bought keeps what was agreed at the time.

    409 `taken_down`, 422 `invalid`.
    """
    values = _checked(fields)
    with locks.owner(user.pk):
        listing = access.own_listing(user, listing_id)
        _check_not_taken_down(listing)
        for name, value in values.items():
            setattr(listing, name, value)
        listing.save(update_fields=[*values, "updated"])
        search.index(listing.pk)
    return access.listing_for(user, listing_id)


def publish(user: User, listing_id: str) -> Listing:
    """Offer it. Again is no error. 409 `taken_down`, `no_version` (none is ready), 422 for no description."""
    with locks.owner(user.pk):
        listing = access.own_listing(user, listing_id)
        _check_not_taken_down(listing)
        if listing.current_version_id is None:
            text = "No version of these weights is ready yet. Upload one, and publish when it is."
            raise conflict("no_version", text)
        if not listing.description.strip():
            text = "Say what the weights do before you publish them."
            raise invalid("invalid", text, {"description": ["is needed"]})
        Listing.objects.filter(pk=listing.pk).update(
            status=S.PUBLISHED, status_reason="", published_at=Coalesce("published_at", Now()), updated=Now()
        )
    return access.listing_for(user, listing_id)


def withdraw(user: User, listing_id: str) -> Listing:
    """Offer it no longer; who bought it keeps it. Again is no error. 409 `taken_down`, `draft`."""
    with locks.owner(user.pk):
        listing = access.own_listing(user, listing_id)
        _check_not_taken_down(listing)
        if listing.status == S.DRAFT:
            raise conflict("draft", "A draft is not offered, so there is nothing to withdraw.")
        Listing.objects.filter(pk=listing.pk).update(status=S.WITHDRAWN, updated=Now())
    return access.listing_for(user, listing_id)


def remove(user: User, listing_id: str) -> None:
    """Delete a draft, or a withdrawn listing that nobody has bought, with its versions. 409 otherwise."""
    with locks.owner(user.pk):
        listing = access.own_listing(user, listing_id)
        if listing.status == S.PUBLISHED:
            raise conflict("published", "The listing is published. Withdraw it first.")
        if listing.status == S.TAKEN_DOWN:
            _check_not_taken_down(listing)
        if listing.sales_count:
            raise conflict("sold", "The listing was bought, so it can be withdrawn but not deleted.")
        _delete(listing)


def leave(user: User) -> None:
    """The seller's account ends: what was bought stays for its buyers, without a seller; the rest goes."""
    for listing in Listing.objects.filter(seller=user):
        if listing.sales_count:
            Listing.objects.filter(pk=listing.pk, status=S.PUBLISHED).update(status=S.WITHDRAWN)
        else:
            _delete(listing)


def _delete(listing: Listing) -> None:
    versions = list(listing.versions.values_list("pk", "upload_id"))
    uploads = list(listing.uploads.values_list("pk", flat=True))
    try:
        listing.delete()
    except (ProtectedError, RestrictedError):
        raise conflict("sold", "The listing was bought, so it can't be deleted.") from None
    for version_id, upload_id in versions:
        storage.forget_version(version_id)
        storage.drop_upload(upload_id)
    for upload_id in uploads:
        storage.drop_upload(upload_id)


def _check_not_taken_down(listing: Listing) -> None:
    if listing.status == S.TAKEN_DOWN:
        raise conflict("taken_down", f"This listing was taken down: {listing.status_reason}")


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that can be set, tidied. 422 `invalid` names what is wrong with each."""
    values = {name: fields[name] for name in CHANGEABLE if fields.get(name) is not None}
    wrong: dict[str, list[str]] = {}
    for name, limit in (("title", MAX_TITLE), ("description", MAX_DESCRIPTION)):
        if name in values:
            values[name] = unicodedata.normalize("NFC", str(values[name])).replace("\r\n", "\n").strip()
            if len(values[name]) > limit:
                wrong[name] = [f"must be at most {limit} characters"]
            elif any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in values[name]):
                wrong[name] = ["holds characters that can't be shown"]
    if not values.get("title", "x"):
        wrong["title"] = ["is needed"]
    for name, most in (("price", MAX_PRICE), ("price_per_image", MAX_PRICE_PER_IMAGE)):
        if name in values and not (type(values[name]) is int and 0 <= values[name] <= most):
            wrong[name] = [f"must be a whole number from 0 to {most:,}"]
    if values.get("licence", Listing.Licence.RUN) not in Listing.Licence.values:
        wrong["licence"] = [f"must be one of {', '.join(Listing.Licence.values)}"]
    if wrong:
        raise invalid("invalid", "The listing can't be kept like that.", wrong)
    return values
