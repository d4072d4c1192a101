"""A photo that a job still needs outlives its last row in the drive."""

from __future__ import annotations

from apps.drive import storage
from apps.drive.models import Image
from apps.drive.services import images, purge, selection
from apps.processing.models import Job
from apps.processing.queries import needed_hashes
from apps.processing.services import jobs


def test_bytes_of_an_unfinished_job_are_not_purged(alice, submit):
    job = submit(alice, count=2)
    inputs = {row.sha256 for row in job.images.all()}
    for image in Image.objects.filter(sha256__in=inputs):
        path = storage.blob_path(alice.id, image.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a photo")
        images.trash(image)
    selection.empty_trash(alice)

    assert purge.blobs(grace=0) == 0
    assert {sha for sha in inputs if storage.blob_path(alice.id, sha).exists()} == inputs

    jobs.cancel(alice, job.id)

    assert purge.blobs(grace=0) == len(inputs)


def test_tiles_of_a_job_are_needed_and_others_photos_are_not(alice, bob, submit):
    job = submit(alice, count=1)
    photo = job.images.get().sha256
    tile, other = "a" * 64, "b" * 64
    Job.objects.filter(id=job.id).update(assets={"tile_folder": [tile]})

    assert needed_hashes(alice.id, {photo, tile, other}) == {photo, tile}
    assert needed_hashes(bob.id, {photo, tile, other}) == set()
