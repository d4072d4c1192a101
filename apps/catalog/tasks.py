"""Background work of the catalogue, in a queue and a worker of its own: a conversion takes a while."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.catalog.services import intake, leases
from apps.catalog.services import sweep as sweeper

log = logging.getLogger(__name__)

QUEUE = "intake"


def enqueue(version_id: str) -> None:
    """Ask for a version's intake. If the broker is away, the controller asks again later."""
    try:
        take_in.apply_async((version_id,), retry=False)
    except (OperationalError, RedisError, OSError):
        log.exception("version %s could not be queued; the controller asks again", version_id)


def resume() -> int:
    """A chore: versions whose task died or never came are asked for again. How many."""
    found = leases.unclaimed()
    for version_id in found:
        enqueue(version_id)
    return len(found)


# Acknowledged before it runs: the lease and the chore above decide who does it again, not the broker.
@shared_task(
    name="catalog.take_in", queue=QUEUE, acks_late=False, time_limit=3 * int(settings.INTAKE_SECONDS) + 120
)
def take_in(version_id: str) -> None:
    intake.run(version_id)


@shared_task(name="catalog.sweep")
def sweep() -> None:
    sweeper.run()
