"""From a job folder into the platform, exactly once, whatever dies when.

A document goes through five steps, each of which can be done again:

    read    new lines of the results files. How far was read is kept in memory only: after a restart every
            line is read once more
    check   what a worker wrote is input from outside: unknown photos and fields of the wrong kind are
            dropped, photos that have a document already are passed over
    adopt   output files are renamed into the drive. Known by its origin `job:<job>:<image>`, a result enters
            once; a file that an earlier try has moved is found in the drive under its hash
    save    the document is stored under (job, image): the first one counts
    count   the job's counters are set to what the store holds: never added to

Adopting comes before saving, because a stored document is the sign that nothing is left to do for its photo.
Killed before `save`, the next run reads, checks and adopts again and finds the image there; killed after it,
the next run passes the photo over and only counts. Counting happens on every pass that is the first of its
process or has found something, so a counter is never left behind. Two controllers at once differ in nothing
from one that was killed and started again. A file that is in neither place, or has not the hash that its
document says, leaves its photo without a document, and the photo is done again (`folders.refill`).
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.http import Http404

import jobfolder
from apps.drive import access as drive_access
from apps.drive.models import Folder
from apps.drive.services import folders as drive_folders
from apps.drive.services.ingest import Adopted, adopt
from apps.processing import folders
from apps.processing.controller import results, timing
from apps.processing.documents import store
from apps.processing.documents.base import Doc
from apps.processing.models import Job, JobImage, Placement
from apps.processing.services import charging

log = logging.getLogger(__name__)

BATCH = 200  # documents a pass: a transaction stays short
PASSES = 5  # passes a tick: one job does not hold up the others
ENOUGH = 32  # documents worth a pass of their own, towards a job's end
PATIENCE = 0.5  # seconds for which fewer wait for more: a pass costs as much as taking in thirty


@dataclass
class Pass:
    """One batch on its way through the steps."""

    job: Job
    offsets: dict[str, int]
    lines: list[dict[str, Any]] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)
    saved: list[Doc] = field(default_factory=list)


class Ingest:
    """Reads one attempt of one job; remembers how far it has read, to save work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._offsets: dict[str, int] = {}
        self._waiting: dict[str, tuple[int, int]] = {}  # lines beyond them that were seen
        self._counted = False
        self._last = float("-inf")
        self.drained = False  # everything that was in the folder at the last run has been taken in

    def is_ripe(self, job: Job) -> bool:
        """Whether a pass' worth of documents waits: half of what the job lacks, so that passes are few and
        little is left when the last photo is done; or all of it. Cheap: to be asked often."""
        waiting = jobfolder.waiting_results(folders.path_of(job.id), self._offsets, self._waiting)
        missing = job.total - job.done
        return waiting >= min(missing, max(ENOUGH, missing // 2))

    def is_due(self, job: Job) -> bool:
        """Whether a pass is worth its cost now, while more is being written."""
        return not self._counted or self._clock() - self._last >= PATIENCE or self.is_ripe(job)

    def run(self, job: Job) -> int:
        """Take in what is new. How many documents were stored."""
        stored = 0
        self._last = self._clock()
        for _ in range(PASSES):
            batch = Pass(job, self._offsets)
            read(batch)
            if batch.lines or not self._counted:
                for step in STEPS:
                    step(batch)
                self._counted = True
            self._offsets, self._waiting = batch.offsets, {}
            stored += len(batch.saved)
            self.drained = len(batch.lines) < BATCH
            if self.drained:
                break
        return stored


def read(batch: Pass) -> None:
    path = folders.path_of(batch.job.id)
    batch.lines, batch.offsets = jobfolder.tail_results(path, batch.offsets, BATCH)


def check(batch: Pass) -> None:
    named = {str(line.get("image")) for line in batch.lines}
    rows = {row.image_id: row for row in JobImage.objects.filter(job=batch.job, image_id__in=named)}
    known = store().known(batch.job.id, rows.keys()) if rows else set()
    docs: dict[str, Doc] = {}
    for line in batch.lines:
        row = rows.get(str(line.get("image")))
        if row is None or row.image_id in known or row.image_id in docs:
            continue
        doc = results.checked(batch.job, row, line)
        if doc is not None:
            docs[row.image_id] = doc
    batch.docs = list(docs.values())


def adopt_outputs(batch: Pass) -> None:
    job, path = batch.job, folders.path_of(batch.job.id)
    items: list[Adopted] = []
    for doc in batch.docs:
        if doc["outputs"] and _files_are_true(path, doc):
            items.append(results.adopted(job, doc, path))
    images = adopt(job.owner_id, _output_folder(job), items) if items else []
    by_origin = {image.origin: image for image in images}
    for doc in batch.docs:
        image = by_origin.get(results.origin(job, doc["image"]))
        doc["output_image"] = image.id if image else None
    # Without its file there is no result: no document, so the photo is done again.
    batch.docs = [doc for doc in batch.docs if doc["output_image"] or not doc["outputs"]]


def save(batch: Pass) -> None:
    docs = [{**doc, "outputs": [results.without_path(one) for one in doc["outputs"]]} for doc in batch.docs]
    batch.saved = store().save_many(docs)


def count(batch: Pass) -> None:
    job = batch.job
    ok, failed = store().status_counts(job.id)
    Job.objects.filter(id=job.id, attempt=job.attempt).update(done=ok + failed, failed=failed)
    job.done, job.failed = ok + failed, failed
    charging.settle(job, ok)
    by_worker = store().by_worker(job.id)
    for placement in Placement.objects.filter(job=job).only("id", "node", "worker", "done"):
        done = by_worker.get((placement.node, placement.worker), 0)
        if done != placement.done:
            Placement.objects.filter(id=placement.id).update(done=done)


def learn(batch: Pass) -> None:
    timing.learn(batch.job.app, batch.saved)


STEPS: tuple[Callable[[Pass], None], ...] = (check, adopt_outputs, save, count, learn)


def _files_are_true(path: Path, doc: Doc) -> bool:
    """No links: a worker could point one at what its owner may not see. And the hash that the document says:
    under a wrong one, bytes would pass for another photo of the owner. A file that is not there may have been
    moved into the drive by a try that was killed; the drive knows."""
    for output in doc["outputs"]:
        if os.path.lexists(path / output["path"]):
            try:
                _check_hash(jobfolder.output_file(path, output), output["sha256"])
            except (jobfolder.BadJobFolder, FileNotFoundError) as error:
                log.warning("job %s: %s", doc["job"], error)
                return False
    return True


def _check_hash(path: Path, sha256: str) -> None:
    """The file was just written and is in the page cache: about 1 ms a megabyte."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise jobfolder.BadJobFolder(f"{path} has the sha256 {found}, its document says {sha256}")


def _output_folder(job: Job) -> Folder:
    """`<folder> · <app>` beside the input folder, made once for a job and known by its origin."""
    if job.output_folder_id:
        folder = Folder.objects.filter(id=job.output_folder_id).first()
        if folder is not None:
            return folder
    name = f"{job.folder_name[:80]} · {job.app_title[:30]}"
    folder = drive_folders.create(job.owner, name, _parent(job), origin=f"job:{job.id}", unique=True)
    Job.objects.filter(id=job.id).update(output_folder=folder)
    job.output_folder = folder
    return folder


def _parent(job: Job) -> Folder | None:
    """Where the input folder lies; the top, if it is in the trash or gone."""
    try:
        return drive_access.folder_for(job.owner, job.folder_id or "").parent
    except Http404:
        return None
