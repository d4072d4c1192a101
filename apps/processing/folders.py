"""A job's folder on the shared volume, as the platform fills it. The protocol itself is in `jobfolder`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from django.conf import settings

import jobfolder
from apps.processing.documents import store
from apps.processing.models import Job, JobImage
from apps.processing.services.estimates import SECONDS_PER_IMAGE
from jobfolder.chunks import claim_path, read_chunk
from jobfolder.results import finished_images

SAMPLE = 16  # photos that a processor's `fit` sees
MAX_REFILLS = 3
_BATCH = 500


def path_of(job_id: str) -> Path:
    return jobfolder.job_dir(settings.DATA_DIR, job_id)


def prepare(job: Job, lanes: int) -> None:
    """Have the folder with this attempt's chunks pending. Again, or after a crash half-way, is right: a new
    folder appears all at once, and chunks are added to an old one by name, so that only the missing come.

    Raises OSError when the volume is full or gone.
    """
    store().delete(job.id, status="failed", before_attempt=job.attempt)
    folder = path_of(job.id)
    missing = list(_missing(job))
    chunks = _chunks(job, missing, lanes, str(job.attempt))
    if not jobfolder.create(jobfolder.jobs_root(settings.DATA_DIR), _spec(job), chunks):
        _drop_old_chunks(folder, job.attempt)
        jobfolder.add_chunks(folder, chunks)
    jobfolder.clear_stop(folder)


def _drop_old_chunks(folder: Path, attempt: int) -> None:
    """What a cancelled attempt left pending is in the chunks of this one."""
    for name in jobfolder.pending(folder):
        if not name.startswith(f"{attempt}-"):
            (folder / "pending" / f"{name}.json").unlink(missing_ok=True)


def refill(job: Job, lanes: int) -> bool:
    """Add the photos again that have no document although every chunk is done: a torn line, a lost file.

    False when that was tried MAX_REFILLS times already in this attempt.
    """
    folder = path_of(job.id)
    try:
        done = [path.name for path in (folder / "done").iterdir()]
    except FileNotFoundError:
        prepare(job, lanes)  # somebody deleted the folder
        return True
    prefix = f"{job.attempt}-r"
    rounds = {name.removeprefix(prefix).partition("-")[0] for name in done if name.startswith(prefix)}
    if len(rounds) >= MAX_REFILLS:
        return False
    label = f"{prefix}{len(rounds) + 1}"
    jobfolder.add_chunks(folder, _chunks(job, list(_missing(job)), lanes, label))
    return True


def missing_images(job: Job) -> list[JobImage]:
    """The photos without a document."""
    return list(_missing(job))


def chunks_in_hand(job: Job) -> dict[str, tuple[str, int, int]]:
    """{worker: (chunk, photos done of it, photos in it)} of a running job."""
    folder = path_of(job.id)
    found = {}
    for claim in jobfolder.claims(folder):
        try:
            chunk = read_chunk(claim_path(folder, claim.chunk, claim.worker), claim.chunk)
        except (FileNotFoundError, jobfolder.BadJobFolder):
            continue  # finished or given back just now
        done = len(finished_images(folder, claim.chunk))
        found[claim.worker] = (claim.chunk, min(done, len(chunk.images)), len(chunk.images))
    return found


def _missing(job: Job) -> Iterator[JobImage]:
    known = store().known(job.id)
    for image in JobImage.objects.filter(job=job).order_by("position").iterator(chunk_size=_BATCH):
        if image.image_id not in known:
            yield image


def _chunks(job: Job, images: Collection[JobImage], lanes: int, label: str) -> list[jobfolder.Chunk]:
    """Chunks named `<label>-<number>`. Work is what was guessed at submit, so a second try cuts alike."""
    pixels = {image.image_id: image.pixels for image in images}
    per_pixel = _seconds_per_pixel(job)
    planned = jobfolder.plan_chunks(
        [
            jobfolder.ChunkImage(image.image_id, image.position, image.name, image.sha256, image.params)
            for image in images
        ],
        lambda item: SECONDS_PER_IMAGE + pixels[item.image] * per_pixel,
        parallelism=lanes,
    )
    return [jobfolder.Chunk(f"{label}-{chunk.name.partition('-')[2]}", chunk.images) for chunk in planned]


def _seconds_per_pixel(job: Job) -> float:
    pixels = sum(JobImage.objects.filter(job=job).values_list("pixels", flat=True))
    return max(0.0, job.estimated_seconds - job.total * SECONDS_PER_IMAGE) / max(1, pixels)


def _spec(job: Job) -> jobfolder.JobSpec:
    hashes = list(JobImage.objects.filter(job=job).order_by("position").values_list("sha256", flat=True))
    step = max(1, len(hashes) / SAMPLE)
    sample = [hashes[int(index * step)] for index in range(min(SAMPLE, len(hashes)))]
    return jobfolder.JobSpec(
        job=job.id,
        owner=job.owner_id,
        app=job.processor or job.app,
        app_version=job.app_version,
        params=job.params,
        assets=job.assets,
        weights=job.weights or None,
        limits=jobfolder.Limits(
            image_seconds=settings.JOB_IMAGE_SECONDS,
            max_bytes=settings.MAX_IMAGE_BYTES,
            max_pixels=settings.MAX_IMAGE_PIXELS,
        ),
        sample=list(dict.fromkeys(sample)),
    )
