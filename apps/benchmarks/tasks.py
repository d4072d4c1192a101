"""Background work of benchmarks. Each task can run twice at once and be cut off at any time."""

from __future__ import annotations

import logging

from celery import shared_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.benchmarks import queries
from apps.benchmarks.services import leases

log = logging.getLogger(__name__)


def enqueue(run_id: str) -> None:
    """Ask for a run to be gone on with. If the broker is away, the controller asks again."""
    try:
        advance.apply_async((run_id,), retry=False)
    except (OperationalError, RedisError, OSError):
        log.warning("benchmark %s could not be queued; the controller asks again", run_id)


def resume() -> None:
    """Ask for the run that has the turn, if nobody is at it or was asked lately. A chore, too: for runs
    whose task died or never came."""
    run = queries.next_run()
    if run and leases.mark_asked(run.pk):
        enqueue(run.pk)


# Acknowledged before it runs: the run's lease and the controller's chore decide who goes on, not the broker.
@shared_task(name="benchmarks.advance", acks_late=False, soft_time_limit=280, time_limit=300)
def advance(run_id: str) -> None:
    from apps.benchmarks.services import cells  # SimPy and all: not for the web

    if cells.advance(run_id):
        enqueue(run_id)
    else:
        resume()
