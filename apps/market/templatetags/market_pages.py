"""Template tags of the market: `{% load market_pages %}`."""

from __future__ import annotations

import zlib
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.catalog.models import Listing

register = template.Library()


@register.filter
def cover(listing: Listing) -> str:
    """The address of the picture that stands for a listing: the seller's first, else a sample output; or
    nothing. Needs `pictures` and `current_version` loaded."""
    pictures = sorted(listing.pictures.all(), key=lambda one: (one.created, one.pk))
    if pictures:
        return f"{reverse('market-picture', args=[pictures[0].pk])}?small=1"
    version = listing.current_version
    samples = version.card.get("samples") if version else None
    if version and samples:
        # Every card is measured on the same photos: not all listings should show the first of them.
        chosen = samples[zlib.crc32(version.pk.encode()) % len(samples)]
        return reverse("market-sample", args=[version.pk, chosen.get("number", 1)])
    return ""


@register.simple_tag
def stars(rating: float, count: int | None = None) -> SafeString:
    """`★★★★☆` for the eye, a sentence for who can't see it."""
    whole = min(5, max(0, round(rating)))
    told = f"{rating:.1f} of 5 stars" if count is not None else f"{whole} of 5 stars"
    return format_html(
        '<span class="stars"><span aria-hidden="true">{}<span class="stars__off">{}</span></span>'
        '<span class="visually-hidden">{}</span></span>',
        "★" * whole,
        "★" * (5 - whole),
        told,
    )


@register.filter
def share_of(count: int, total: int) -> str:
    """A part of a whole, as a width for CSS."""
    return f"{100 * count / total:.1f}%" if total else "0%"


@register.filter
def licence_words(listing: Any) -> list[str]:
    """The licence of a listing or a purchase in sentences."""
    downloads = listing.licence == Listing.Licence.DOWNLOAD
    return [
        "You may run it here on as many photos as you like, at its price per image.",
        "You may download the weights and run them elsewhere yourself; passing them on is not allowed."
        if downloads
        else "The weights stay here: nobody but the seller can download them.",
        "The results may be used commercially."
        if listing.commercial_use
        else "The results are for use that is not commercial.",
        "New versions are included.",
    ]
