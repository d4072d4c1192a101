"""Background work of the catalogue. Intake has a queue and a worker of its own (CELERY_TASK_ROUTES): a
conversion takes a while."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.catalog.models import Listing
from apps.catalog.services import intake, leases, listings
from apps.catalog.services import sweep as sweeper

log = logging.getLogger(__name__)


def enqueue(version_id: str) -> None:
    """Ask for a version's intake. If the broker is away, the controller asks again later."""
    try:
        take_in.apply_async((version_id,), retry=False)
    except (OperationalError, RedisError, OSError):
        log.exception("version %s could not be queued; the controller asks again", version_id)


def enqueue_publish(listing_id: str) -> None:
    """For demo data: to the market once it is ready. If the broker is away, the next start does it."""
    try:
        publish_when_ready.apply_async((listing_id,), retry=False)
    except (OperationalError, RedisError, OSError):
        log.exception("listing %s could not be queued", listing_id)


def publish_if_ready(listing_id: str) -> None:
    """A draft that has never been on the market and can be run. Quietly nothing otherwise."""
    draft = Listing.objects.filter(
        pk=listing_id, status=Listing.Status.DRAFT, published_at=None, current_version__isnull=False
    )
    for listing in draft.select_related("seller"):
        if listing.seller is not None:
            listings.publish(listing.seller, listing.pk)


def resume() -> int:
    """A chore: versions whose task died or never came are asked for again. How many."""
    found = leases.unclaimed()
    for version_id in found:
        enqueue(version_id)
    return len(found)


# Acknowledged before it runs: the lease and the chore above decide who does it again, not the broker.
@shared_task(name="catalog.take_in", acks_late=False, time_limit=3 * int(settings.INTAKE_SECONDS) + 120)
def take_in(version_id: str) -> None:
    intake.run(version_id)


@shared_task(name="catalog.publish_when_ready")
def publish_when_ready(listing_id: str) -> None:
    publish_if_ready(listing_id)


@shared_task(name="catalog.sweep")
def sweep() -> None:
    sweeper.run()
