"""What a batch process does around its work: lock itself in, run, report by its exit code."""

from __future__ import annotations

import faulthandler
import logging
from contextlib import suppress
from pathlib import Path

from jobfolder import BadJobFolder, read_spec
from jobfolder.layout import data_dir_of
from model_images.runtime import batch, lockin
from model_images.runtime.registry import package_folders, processors

EXIT_OK, EXIT_ERROR, EXIT_DUPLICATE = 0, 1, 3

log = logging.getLogger(__name__)


def main(job_dir: Path, worker: str, node: str) -> int:
    """EXIT_OK: there is nothing more to do here, for whatever reason the heartbeat tells."""
    faulthandler.enable()
    processors()  # import everything while it can still be read
    try:
        owner = read_spec(job_dir).owner
    except FileNotFoundError:
        log.info("worker %s: the job's folder %s is gone", worker, job_dir)
        return EXIT_OK
    except BadJobFolder as error:
        log.error("worker %s: %s", worker, error)
        return EXIT_ERROR
    held = lockin.enter(_box(job_dir, owner))
    reason = batch.run(job_dir, worker, node, held)
    log.info("worker %s on %s: %s", worker, node, reason)
    if reason == "duplicate":
        return EXIT_DUPLICATE
    return EXIT_ERROR if reason.startswith("error") else EXIT_OK


def _box(job_dir: Path, owner: str) -> lockin.Box:
    data_dir = data_dir_of(job_dir)
    cache = data_dir / "cache" / owner
    with suppress(OSError):  # a full disk is noticed, and told, by the batch
        cache.mkdir(parents=True, exist_ok=True)
    return lockin.Box(
        read=(data_dir / "drive" / owner, *package_folders()), write=(job_dir, cache), network=False
    )
