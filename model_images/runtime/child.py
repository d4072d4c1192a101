"""What a batch process does around its work: lock itself in, run, report by its exit code."""

from __future__ import annotations

import faulthandler
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jobfolder import BadJobFolder, JobSpec, read_spec, weights_path
from jobfolder.layout import data_dir_of
from model_images.runtime import batch, lockin, sessions
from model_images.runtime.pulse import born
from model_images.runtime.registry import package_folders, processors

EXIT_OK, EXIT_ERROR, EXIT_DUPLICATE = 0, 1, 3

log = logging.getLogger(__name__)


def main(job_dir: Path, worker: str, node: str, times: Mapping[str, float | None] | None = None) -> int:
    """EXIT_OK: there is nothing more to do here, for whatever reason the heartbeat tells. `times`: `born` and
    `imported` of who forked this process, which began for the worker's sake."""
    faulthandler.enable()
    processors()  # import everything while it can still be read
    try:
        spec = read_spec(job_dir)
    except FileNotFoundError:
        log.info("worker %s: the job's folder %s is gone", worker, job_dir)
        return EXIT_OK
    except BadJobFolder as error:
        log.error("worker %s: %s", worker, error)
        return EXIT_ERROR
    if spec.weights:
        sessions.preload()
    times = times or {"born": born(), "imported": time.time()}  # /proc is out of reach afterwards
    held = lockin.enter(_box(job_dir, spec))
    reason = batch.run(job_dir, worker, node, held, **times)
    log.info("worker %s on %s: %s", worker, node, reason)
    if reason == "duplicate":
        return EXIT_DUPLICATE
    return EXIT_ERROR if reason.startswith("error") else EXIT_OK


def _box(job_dir: Path, spec: JobSpec) -> lockin.Box:
    """The owner's photos and cache, the job's folder, and of all weights the job's."""
    data_dir = data_dir_of(job_dir)
    cache = data_dir / "cache" / spec.owner
    weights = (weights_path(data_dir, spec.weights),) if spec.weights else ()
    with suppress(OSError):  # a full disk is noticed, and told, by the batch
        cache.mkdir(parents=True, exist_ok=True)
    return lockin.Box(
        read=(data_dir / "drive" / spec.owner, *weights, *package_folders()),
        write=(job_dir, cache),
        network=False,
    )
