"""What time deletes: uploads that nobody went on with, and files that no row names any more."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from apps.catalog import storage
from apps.catalog.models import Picture, Upload, Version
from apps.catalog.services.leases import IN_HAND
from apps.processing.models import Job
from apps.processing.services.states import FINISHED

log = logging.getLogger(__name__)

STALE = timedelta(hours=24)  # since the last chunk
GRACE = 86400.0  # seconds that a file without a row is left alone
_BATCH = 500


def run(grace: float = GRACE) -> dict[str, int]:
    """Everything that is due; for an hourly chore. How many of what were deleted."""
    done = {
        "uploads": stale_uploads(),
        "files": files(grace),
        "folders": folders(grace),
        "weights": weights(grace),
        "pictures": pictures(grace),
    }
    if any(done.values()):
        log.info("catalogue swept: %s", done)
    return done


def stale_uploads() -> int:
    old = Upload.objects.filter(updated__lt=timezone.now() - STALE)
    found = list(old.values_list("pk", flat=True)[:_BATCH])
    # Asked again with the delete: a chunk may have come in between.
    deleted = [
        pk for pk in found if Upload.objects.filter(pk=pk, updated__lt=timezone.now() - STALE).delete()[0]
    ]
    for upload_id in deleted:
        storage.drop_upload(upload_id)
    return len(deleted)


def files(grace: float) -> int:
    """Of uploads that have become a version, or nothing."""
    deleted = 0
    for names in _old(storage.uploads_dir(), grace):
        named = set(Upload.objects.filter(pk__in=names).values_list("pk", flat=True))
        in_hand = Version.objects.filter(upload_id__in=names, status__in=IN_HAND)
        named |= set(in_hand.values_list("upload_id", flat=True))
        deleted += _unlink(storage.uploads_dir(), [name for name in names if name not in named])
    return deleted


def folders(grace: float) -> int:
    """Of intake tasks that were killed, and the samples of versions that are gone."""
    samples = settings.DATA_DIR / "catalog" / "samples"
    doomed = [storage.intake_dir() / name for names in _old(storage.intake_dir(), grace) for name in names]
    for names in _old(samples, grace):
        known = set(Version.objects.filter(pk__in=names).values_list("pk", flat=True))
        doomed += [samples / name for name in names if name not in known]
    for path in doomed:
        shutil.rmtree(path, ignore_errors=True)
    return len(doomed)


def weights(grace: float) -> int:
    """Weights of no version, and of no job that is still to run."""
    root = settings.DATA_DIR / "weights"
    deleted = 0
    for names in _old(root, grace):
        hashes = [name.removesuffix(".onnx") for name in names]
        versions = Version.objects.filter(weights_sha256__in=hashes)
        jobs = Job.objects.filter(weights__in=hashes).exclude(status__in=FINISHED)
        named = {*versions.values_list("weights_sha256", flat=True), *jobs.values_list("weights", flat=True)}
        deleted += _unlink(root, [name for name in names if name.removesuffix(".onnx") not in named])
    return deleted


def pictures(grace: float) -> int:
    root = settings.DATA_DIR / "catalog" / "pictures"
    deleted = 0
    for names in _old(root, grace):
        hashes = {name.partition(".")[0] for name in names}
        named = set(Picture.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
        deleted += _unlink(root, [name for name in names if name.partition(".")[0] not in named])
    return deleted


def _old(root: Path, grace: float) -> Iterator[list[str]]:
    """Names of what has lain there for so long, some at a time."""
    names = iter(sorted(path.name for path in _entries(root) if _age(path) >= grace))
    while batch := list(islice(names, _BATCH)):
        yield batch


def _entries(root: Path) -> Iterable[Path]:
    return root.iterdir() if root.is_dir() else ()


def _age(path: Path) -> float:
    """Seconds since its last change; a rename counts, unlike in the modification time."""
    try:
        return time.time() - path.stat().st_ctime
    except FileNotFoundError:
        return -1.0


def _unlink(root: Path, names: Collection[str]) -> int:
    for name in names:
        (root / name).unlink(missing_ok=True)
    return len(names)
