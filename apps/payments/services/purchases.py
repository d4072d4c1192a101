"""Buying a listing: price − fee to the seller, the fee to the platform, the terms of the day kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.http import Http404

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.payments import ledger
from apps.payments.models import Purchase, Transaction
from apps.payments.services import debts, holds, keys
from marketplace.api import conflict
from marketplace.ids import is_id


def purchase(
    user: User, listing_id: str, *, expected_price: int | None = None, key: str | None = None
) -> Purchase:
    """Buy it. The same `key` for the same listing gives the same purchase.

    `expected_price`: what the buyer was shown; a price that has changed since is refused. 404: no such
    listing, or a draft. 409: `own_listing`, `already_bought`, `not_for_sale`, `price_changed`,
    `insufficient_credits`, `in_debt`, `idempotency_key_reused`.
    """
    keys.check(key)
    if not is_id(listing_id):
        raise Http404("There is no listing with this id.")
    with transaction.atomic():
        wanted = Q(listing=listing_id) | Q(key=key) if key else Q(listing=listing_id)
        mine = list(Purchase.objects.filter(wanted, buyer=user))
        if earlier := next((row for row in mine if key and row.key == key), None):
            if earlier.listing_id != listing_id:
                raise keys.reused()
            return earlier
        listing = _for_sale(user, listing_id, bought=bool(mine))
        if expected_price is not None and expected_price != listing.price:
            text = f"The price is {listing.price:,} credits now, not {expected_price:,}. Nothing was charged."
            raise conflict("price_changed", text)
        debts.refuse_if_any(user)
        return _buy(user, listing, key)


def has_bought(user: User, listing_id: str) -> bool:
    return Purchase.objects.filter(buyer=user, listing_id=listing_id).exists()


def _for_sale(user: User, listing_id: str, *, bought: bool) -> Listing:
    rows = Listing.objects.select_related("seller").exclude(status=Listing.Status.DRAFT)
    listing = rows.filter(pk=listing_id).first()
    if listing is None:
        raise Http404("There is no listing with this id.")
    if listing.seller_id == user.pk:
        raise conflict("own_listing", "It is your own listing: you can run it without buying it.")
    if bought:
        raise conflict("already_bought", "You have bought it already. It is in your studio.")
    if listing.status != Listing.Status.PUBLISHED or listing.seller is None:
        raise conflict("not_for_sale", "It is not for sale any more. Nothing was charged.")
    return listing


def _buy(user: User, listing: Listing, key: str | None) -> Purchase:
    fee = holds.share(listing.price, settings.PLATFORM_FEE_PERCENT)
    row = Purchase(
        buyer=user,
        seller=listing.seller,
        listing=listing,
        title=listing.title,
        price=listing.price,
        fee=fee,
        licence=listing.licence,
        commercial_use=listing.commercial_use,
        key=key,
    )
    # Of two at once, the second waits here for the first, and then inserts nothing.
    Purchase.objects.bulk_create([row], ignore_conflicts=True)
    stored = Purchase.objects.filter(buyer=user, listing=listing).first()
    if stored is None:
        raise keys.reused()  # for another listing, at this very moment
    if stored.pk != row.pk:
        if key and stored.key == key:
            return stored
        raise conflict("already_bought", "You have bought it already. It is in your studio.")
    if listing.price and listing.seller:
        wallet, earnings, fees = ledger.sale(user, listing.seller)
        moves: dict[Any, int] = {wallet: -listing.price, earnings: listing.price - fee, fees: fee}
        ledger.post(
            Transaction.Kind.PURCHASE,
            f"purchase:{stored.pk}",
            moves,
            reference=f"listing:{listing.pk}",
            user=user,
            reason=listing.title,
        )
    Listing.objects.filter(pk=listing.pk).update(sales_count=F("sales_count") + 1)
    return stored
