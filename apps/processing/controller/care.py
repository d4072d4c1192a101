"""What one running job needs now: stop it, take in results, repair it, end it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import jobfolder
from apps.cluster.engines import Engine
from apps.drive.tasks import enqueue_folder
from apps.processing import folders
from apps.processing.controller import placing, results
from apps.processing.controller.ingest import Ingest
from apps.processing.documents import store
from apps.processing.documents.base import Filters
from apps.processing.models import Job, Placement
from apps.processing.services import states

MAX_ERRORS = 3  # workers that ended because the job itself can't be run


def attend(
    job: Job, placements: Sequence[Placement], engine: Engine, ingest: Ingest, now: datetime, lanes: int
) -> list[Placement]:
    """One look at a running job. Its placements that are alive.

    Workers are looked at before results are: what an exited worker wrote is complete when it is read.
    """
    if job.cancel_requested_at:
        engine.stop(job.id)
    alive = placing.settle(job, placements, engine, now)
    if alive and not ingest.is_due(job):
        return alive
    ingest.run(job)
    if job.done >= job.total:
        _finish(job)
    elif alive or not ingest.drained:
        pass
    elif job.cancel_requested_at:
        kept = f"{job.done} of {job.total} photos were done and are kept."
        _end(job, Job.Status.CANCELLED, f"Cancelled: {kept}")
    elif error := _broken(job):
        _end(job, Job.Status.FAILED, error)
    elif jobfolder.is_finished(folders.path_of(job.id)):
        _repair(job, lanes)
    return alive


def dismiss(job: Job, placements: Sequence[Placement], engine: Engine, now: datetime) -> list[Placement]:
    """Workers of a job that has ended: they leave by themselves, or when told. Those still alive."""
    engine.stop(job.id)
    return placing.settle(job, placements, engine, now)


def _finish(job: Job) -> None:
    if job.failed < job.total:
        reason = f"{job.failed} of {job.total} photos could not be processed." if job.failed else ""
        _end(job, Job.Status.SUCCEEDED, reason)
        return
    first = store().page(job.id, Filters(status="failed"), None, 1)
    why = (first[0]["error"] or {}).get("message", "") if first else ""
    _end(job, Job.Status.FAILED, f"No photo could be processed. {why}".strip())


def _end(job: Job, status: str, reason: str) -> None:
    """Thumbnails of the results are made now, when no node is at work on the job any more. Should this
    process be killed before it has asked for them, each is made when somebody first looks."""
    if states.move(job, status, reason=reason) and job.output_folder_id:
        enqueue_folder(job.output_folder_id)


def _broken(job: Job) -> str:
    """Why the job can't be run at all, once several workers have said so; empty otherwise."""
    prefix = f"{job.id}-{job.attempt}-"
    errors = Placement.objects.filter(
        job=job, worker__startswith=prefix, reason__startswith=placing.CANNOT_RUN
    )
    reasons = list(errors.order_by("-id").values_list("reason", flat=True)[:MAX_ERRORS])
    if len(reasons) < MAX_ERRORS:
        return ""
    return f"The job could not be run: {reasons[0].removeprefix(placing.CANNOT_RUN).strip()}"


def _repair(job: Job, lanes: int) -> None:
    """Every chunk is done and some photos have no document: do them again, or give them up."""
    if folders.refill(job, lanes):
        states.note(job, "repaired", f"{job.attempt}:{job.done}", reason="Photos without a result, again.")
        return
    text = "Its worker ended several times without a result."
    lost = [results.failed(job, row, "no_result", text) for row in folders.missing_images(job)]
    store().save_many(lost)  # the next tick counts them and ends the job
    _recount(job)


def _recount(job: Job) -> None:
    ok, failed = store().status_counts(job.id)
    Job.objects.filter(id=job.id, attempt=job.attempt).update(done=ok + failed, failed=failed)
