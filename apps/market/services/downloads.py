"""Weights as a file: for their seller, and for buyers whose licence says so, by a link that expires.

The link is signed for one person and one version. It needs no session, so that any program can fetch it;
what it stands for is looked up again when it is used.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core import signing
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

import jobfolder
from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing, Version
from apps.payments.models import Purchase
from marketplace.api import ApiError

log = logging.getLogger(__name__)

SALT = "pixelyard.market.download"
DOWNLOAD = Listing.Licence.DOWNLOAD


@dataclass(frozen=True)
class Link:
    url: str  # a path of ours
    expires: datetime


@dataclass(frozen=True)
class File:
    path: Path
    name: str


def link(user: User, listing_id: str) -> Link:
    """To the current version. 404: no such listing, or nothing to download for this user (there is no telling
    which)."""
    listing = access.listing_for(user, listing_id)
    if listing.current_version is None or not may_download(user, listing):
        raise Http404("There is nothing to download here.")
    token = signing.dumps([user.pk, listing.current_version_id], salt=SALT)
    expires = timezone.now() + timedelta(seconds=settings.DOWNLOAD_LINK_SECONDS)
    return Link(reverse("market-file", args=[token]), expires)


def may_download(user: User, listing: Listing) -> bool:
    """The seller always; a buyer whose licence says so, on the day of purchase or now, unless it was taken
    down. Whoever else they are, staff too: never."""
    if access.sells(user, listing):
        return True
    if listing.status == Listing.Status.TAKEN_DOWN:
        return False
    purchase = Purchase.objects.filter(buyer_id=user.pk, listing=listing).first()
    return purchase is not None and DOWNLOAD in {purchase.licence, listing.licence}


def open_link(token: str) -> File:
    """What a link leads to. 404 for one that is not ours or stands for nothing any more, 410 once expired."""
    try:
        user_id, version_id = signing.loads(token, salt=SALT, max_age=settings.DOWNLOAD_LINK_SECONDS)
    except signing.SignatureExpired:
        text = "This link has expired. Get a new one on the listing's page."
        raise ApiError(410, "link_expired", text) from None
    except (signing.BadSignature, ValueError):
        raise Http404("There is no such link.") from None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    version = Version.objects.select_related("listing").filter(pk=version_id, status="ready").first()
    if user is None or version is None or not may_download(user, version.listing):
        raise Http404("There is no such link.")
    path = jobfolder.weights_path(settings.DATA_DIR, version.weights_sha256)
    if not path.is_file():
        raise Http404("The file is gone.")
    log.info("weights of %s, version %s, downloaded by %s", version.listing_id, version.number, user_id)
    name = slugify(version.listing.title) or "weights"
    return File(path, f"{name}-v{version.number}.onnx")
