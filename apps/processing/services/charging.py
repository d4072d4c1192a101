"""What jobs and previews cost. A job without a price costs one comparison here.

The job's hold is `job:<id>:<attempt>`; the row of the job copies what is held and charged, in the same
transaction. `settle` is told how many photos have a good result, so it may be called at every count.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.payments import ledger
from apps.payments.services import holds
from apps.processing.catalog import App
from apps.processing.documents import store
from apps.processing.models import Job
from marketplace.api import conflict

_SWEPT = 50


def balance(user: User) -> int:
    """What the wallet holds."""
    return ledger.balance("wallet", user)


def agreed(told: int | None, price: int) -> None:
    """409 `price_changed`, should somebody have been told another price than this one."""
    if told is not None and told != price:
        text = f"This costs {price:,} credits now, not {told:,}. Nothing was charged."
        raise conflict("price_changed", text)


def hold(job: Job, app: App, photos: int) -> None:
    """Set aside what this attempt can cost, at the job's price. In the caller's transaction: 409
    `insufficient_credits` undoes it all."""
    if not job.price_per_image or not photos:
        return
    held = holds.open_hold(
        job.owner,
        reference=_reference(job),
        units=photos,
        unit_price=job.price_per_image,
        seller=_seller(app),
        title=f"{app.title} over {job.folder_name}",
        # A job keeps the fee of its first attempt, as it keeps its price.
        fee_percent=holds.fee_of(_reference(job, 1)) if job.attempt > 1 else None,
    )
    Job.objects.filter(pk=job.pk).update(price_held=held.left)
    job.price_held = held.left


def settle(job: Job, good: int) -> None:
    """`good`: photos of the whole job with a good result. What earlier attempts had done was paid then."""
    if not job.price_held:
        return
    with transaction.atomic():
        charged = holds.settle(_reference(job), good - job.done_before)
        if charged:
            Job.objects.filter(pk=job.pk).update(
                price_held=F("price_held") - charged, price_charged=F("price_charged") + charged
            )
    job.price_held -= charged
    job.price_charged += charged


def close(job: Job) -> None:
    """The job has ended: pay for what is done, give back the rest. Again changes nothing."""
    if not job.price_held:
        return
    good, _ = store().status_counts(job.id)
    settle(job, good)
    with transaction.atomic():
        holds.close(_reference(job))
        Job.objects.filter(pk=job.pk).update(price_held=0)
    job.price_held = 0


def sweep() -> None:
    """Close what a process left open that died between ending a job and giving back the rest."""
    from apps.processing.services.states import FINISHED

    for job in Job.objects.filter(status__in=FINISHED, price_held__gt=0)[:_SWEPT]:
        close(job)
    holds.close_forgotten_previews()


def preview(user: User, app: App, key: str | None, digest: str) -> AbstractContextManager[Any]:
    """Charge a preview of an app that has a price, unless what is inside fails. See `holds.for_preview`."""
    seller = _seller(app) if app.price_per_image else None
    return holds.for_preview(
        user,
        unit_price=app.price_per_image,
        seller=seller,
        title=f"Preview of {app.title}",
        key=key,
        digest=digest,
    )


def _reference(job: Job, attempt: int | None = None) -> str:
    return f"job:{job.pk}:{attempt or job.attempt}"


def _seller(app: App) -> User | None:
    """Who is paid: the listing's seller. None for an app that is built in, or whose seller has left."""
    listing = Listing.objects.select_related("seller").filter(pk=app.id).first()
    return listing.seller if listing else None
