"""How much of a seller's weights the server keeps: versions that are ready or on their way, open uploads."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Sum

from apps.accounts.models import User
from apps.catalog.models import Upload, Version
from marketplace.api import conflict, invalid, too_large

MAX_OPEN = 3  # uploads of one person at once
MAX_VERSIONS = 100  # of one listing, the rejected among them


def used(user: User) -> int:
    """Bytes."""
    kept = Version.objects.filter(listing__seller=user).exclude(status=Version.Status.REJECTED)
    versions = kept.aggregate(n=Sum("bytes"))["n"] or 0
    return versions + (Upload.objects.filter(owner=user).aggregate(n=Sum("size"))["n"] or 0)


def check_size(size: int) -> None:
    limit = settings.MAX_WEIGHTS_BYTES
    if size < 1:
        raise invalid("empty", "The file is empty.", {"size": ["must be at least 1"]})
    if size > limit:
        raise too_large(
            "too_large", f"The file has {size / 1e6:.1f} MB; at most {limit / 1e6:g} MB are taken."
        )


def check(user: User, more: int) -> None:
    """413 `quota_exceeded` if `more` bytes don't fit. Hold the seller's lock."""
    now, limit = used(user), settings.WEIGHTS_QUOTA_BYTES
    if now + more > limit:
        raise too_large(
            "quota_exceeded",
            f"Your weights take {now / 1e9:.2f} of {limit / 1e9:.2f} GB and this file needs "
            f"{more / 1e6:.1f} MB more. Nothing was kept. Deleting a draft or an open upload makes room.",
        )


def check_open(user: User) -> None:
    if Upload.objects.filter(owner=user).count() >= MAX_OPEN:
        text = (
            f"You have {MAX_OPEN} unfinished uploads, the most allowed. Finish or delete one of them first."
        )
        raise conflict("too_many_uploads", text)
