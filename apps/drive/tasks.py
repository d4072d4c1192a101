"""Background work of the drive. Each task can run twice at once and be cut off at any time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import shared_task

from apps.drive import thumbnails
from apps.drive.models import Image
from apps.drive.services import purge as sweep

log = logging.getLogger(__name__)
_BATCH = 50


def enqueue_thumbnails(image_ids: Sequence[str]) -> None:
    """Ask for thumbnails. If the broker is away, none is made now: whoever looks at one first makes it."""
    for start in range(0, len(image_ids), _BATCH):
        make_thumbnails.apply_async((list(image_ids[start : start + _BATCH]),), retry=False)


@shared_task(name="drive.make_thumbnails")
def make_thumbnails(image_ids: list[str]) -> None:
    for owner_id, sha256 in Image.objects.filter(pk__in=image_ids).values_list("owner_id", "sha256"):
        try:
            thumbnails.ensure(owner_id, sha256)
        except FileNotFoundError:  # deleted for good in the meantime
            log.warning("no bytes for a thumbnail: %s/%s", owner_id, sha256)


@shared_task(name="drive.purge")
def purge() -> None:
    sweep.run()
