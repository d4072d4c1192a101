"""Free previews: a listing on a photo of one's own, a few times a day, before it is bought.

Who may is decided in the database: a conditional UPDATE takes one of the day's tries before any work is done,
and a try that failed gives it back. A process that dies in between has used it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing
from apps.market import marking
from apps.market.models import TryCount
from apps.processing import catalog
from apps.processing.catalog import App
from apps.processing.services import previews
from apps.processing.services.previews import Preview
from marketplace.api import ApiError, conflict

KEPT = timedelta(days=2)


@dataclass(frozen=True)
class Allowance:
    """Tries of today."""

    limit: int
    left: int


@dataclass(frozen=True)
class Tried:
    """`preview` is marked if it was free. `allowance`: None if it was not, but paid or one's own."""

    preview: Preview
    allowance: Allowance | None


def allowance(user: User, listing: Listing) -> Allowance:
    limit = settings.FREE_PREVIEWS_PER_DAY
    rows = TryCount.objects.filter(user=user, listing=listing, day=_today())
    used = rows.values_list("used", flat=True).first() or 0
    return Allowance(limit, max(0, limit - used))


def try_out(
    user: User,
    listing_id: str,
    *,
    upload: UploadedFile | None = None,
    image: str | None = None,
    params: dict[str, Any] | None = None,
    accept: str = "application/json",
    key: str | None = None,
) -> Tried:
    """Run a listing on one photo. Who may run it anyway pays its price per image, as in the studio.

    404: listing, photo. 409: `not_for_sale`. 429 `no_free_previews`, until the next day (UTC). Else as
    `previews.preview`. Only a try that gave a result counts.
    """
    listing = access.listing_for(user, listing_id)
    photo: dict[str, Any] = {"upload": upload, "image": image, "params": params, "accept": accept}
    if access.runnable(user).filter(pk=listing.pk).exists():
        return Tried(previews.preview(user, catalog.app_for(user, listing.pk), key=key, **photo), None)
    app = app_of(listing)
    day = _today()
    _take(user, listing, day)
    try:
        result = marking.mark(previews.free_preview(user, app, **photo))
    except BaseException:
        _give_back(user, listing, day)
        raise
    return Tried(result, allowance(user, listing))


def app_of(listing: Listing) -> App:
    """The listing as an app for people who have not bought it. 409 `not_for_sale`; 503 `not_runnable`."""
    if listing.status != Listing.Status.PUBLISHED or listing.current_version is None:
        raise conflict("not_for_sale", "It is not for sale any more, so it can't be tried.")
    app = catalog.weights_app(None, listing)
    if app is None:
        raise ApiError(503, "not_runnable", "Nothing here runs weights of this family just now.")
    return app


def forget_old() -> None:
    """A chore: counts of days gone by."""
    TryCount.objects.filter(day__lt=_today() - KEPT).delete()


def _today() -> date:
    return timezone.now().date()


def _take(user: User, listing: Listing, day: date) -> None:
    rows = TryCount.objects.filter(user=user, listing=listing, day=day)
    TryCount.objects.bulk_create([TryCount(user=user, listing=listing, day=day)], ignore_conflicts=True)
    limit = settings.FREE_PREVIEWS_PER_DAY
    if not rows.filter(used__lt=limit).update(used=F("used") + 1):
        raise _used_up(limit)


def _give_back(user: User, listing: Listing, day: date) -> None:
    rows = TryCount.objects.filter(user=user, listing=listing, day=day, used__gt=0)
    rows.update(used=F("used") - 1)


def _used_up(limit: int) -> ApiError:
    now = timezone.now()
    midnight = datetime.combine(now.date() + timedelta(days=1), time.min, tzinfo=now.tzinfo)
    text = (
        f"Your {limit} free previews of this listing are used for today; new ones come at midnight, UTC."
        if limit
        else "There are no free previews here."
    )
    wait = int((midnight - now).total_seconds()) + 1
    return ApiError(429, "no_free_previews", f"{text} Who buys it has no limit.", retry_after=wait)
