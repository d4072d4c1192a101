"""Background work of the drive. Each task can run twice at once and be cut off at any time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import shared_task
from kombu.exceptions import OperationalError
from redis import RedisError

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


def enqueue_folder(folder_id: str) -> None:
    """Ask for the thumbnails of all photos in a folder. If the broker is away, that is no error: as above."""
    try:
        make_folder_thumbnails.apply_async((folder_id,), retry=False)
    except (OperationalError, OSError, RedisError) as error:
        log.warning("no thumbnails for folder %s yet: %s", folder_id, error)


@shared_task(name="drive.make_folder_thumbnails")
def make_folder_thumbnails(folder_id: str) -> None:
    """In parts, which several workers share."""
    ids = Image.objects.filter(folder=folder_id, trashed_at=None).order_by("name", "id")
    enqueue_thumbnails(list(ids.values_list("pk", flat=True)))


@shared_task(name="drive.purge")
def purge() -> None:
    sweep.run()
