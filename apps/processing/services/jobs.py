"""What a user does to jobs: quote, submit, cancel, retry, remove.

A submitted job is a row and a snapshot of its photos; everything after that is the controller's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.cluster.services.balancing import current_policy, why_not
from apps.drive import access as drive
from apps.drive import locks
from apps.drive.models import Folder
from apps.drive.queries import live_images
from apps.drive.services import quota
from apps.processing import access, catalog
from apps.processing.catalog import App
from apps.processing.documents import store
from apps.processing.models import Job, JobImage
from apps.processing.services import charging, estimates, once, states
from apps.processing.services.wakeup import bell
from marketplace.api import ApiError, conflict, invalid, too_large, too_many

MAX_PARALLELISM = 1000
_BATCH = 500
_RETRY_AFTER = 30  # seconds, for who has too many jobs queued
_STOPPING = "Stopping: the photos in hand are finished first."


@dataclass(frozen=True)
class JobRequest:
    """What a user asks for. `image_params` maps an image id to options that replace the job's for it."""

    app: str
    folder: str
    params: dict[str, Any] = field(default_factory=dict)
    image_params: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: str | None = None  # None: what the cluster uses now
    parallelism: int = 0  # most nodes at once; 0: as many as are free
    price: int | None = None  # what the user was told that it costs; None: whatever it is


@dataclass(frozen=True)
class Quote:
    images: int
    price: int  # credits
    balance: int | None  # what the wallet holds; None where nothing is to be paid
    eta_seconds: float | None  # until it would be finished, waiting included; None when no node is alive
    queue_position: int  # 1: next


@dataclass(frozen=True)
class _Plan:
    """A checked request."""

    app: App
    folder: Folder
    params: dict[str, Any]
    assets: dict[str, list[str]]
    policy: str
    parallelism: int
    images: list[JobImage]

    @property
    def work(self) -> float:
        return estimates.work(self.app.id, (image.pixels for image in self.images))

    @property
    def price(self) -> int:
        return self.app.price_per_image * len(self.images)


def quote(user: User, request: JobRequest) -> Quote:
    """What the job would cost and take. The same checks and errors as `submit`; nothing is stored."""
    _check_room(user)
    plan = _checked(user, request)
    board = estimates.Board.now()
    waiting = board.waiting()
    seconds = None if waiting.seconds is None else waiting.seconds + plan.work / board.lanes(plan.parallelism)
    balance = charging.balance(user) if plan.price else None
    return Quote(len(plan.images), plan.price, balance, seconds, waiting.position)


def submit(user: User, request: JobRequest, key: str | None = None) -> Job:
    """A queued job. The same `key` (Idempotency-Key) with the same request gives the same job.

    404: app, folder. 409: `idempotency_key_reused`, `job_removed`, `price_changed`, `insufficient_credits`,
    `in_debt`. 413: `quota_exceeded`. 422: `invalid` (fields), `empty_folder`, `too_many_images`. 429:
    `too_many` are queued.
    """
    once.check(key)
    body = once.digest(request) if key else ""
    if earlier := _submitted(user, key, body):
        return earlier
    _check_room(user)
    plan = _checked(user, request)
    charging.agreed(request.price, plan.price)
    with locks.owner(user.pk):
        if earlier := _submitted(user, key, body):
            return earlier  # the same key at the same moment: the other request won
        _check_room(user)
        job = _store(user, plan)
        charging.hold(job, plan.app, job.total)
        once.remember(user, key, once.SUBMIT, job.id, body)
        transaction.on_commit(bell().ring)
    states.note(job, "state", "1:queued", actor=user.email, data={"status": "queued"})
    return job


def _submitted(user: User, key: str | None, body: str) -> Job | None:
    """The job that this key has started."""
    job_id = once.done(user, key, once.SUBMIT, body)
    job = Job.objects.filter(id=job_id, owner=user).first() if job_id else None
    if job_id and job is None:
        text = "The job of this Idempotency-Key was removed. To run it again, send a new key."
        raise conflict("job_removed", text)
    return job


def cancel(user: User, job_id: str) -> Job:
    """Queued: cancelled at once. Running: asked to stop; results so far are kept. Cancelling again is no
    error; 409 `finished` once the job has succeeded or failed."""
    job = access.job_for(user, job_id)
    if job.status == Job.Status.QUEUED:
        # Should the controller have started it by now, it has workers to be stopped: see below.
        text = "Cancelled before it started."
        states.move(job, Job.Status.CANCELLED, only_from=job.status, reason=text, actor=user.email)
    running = Job.objects.filter(id=job.id, status=Job.Status.RUNNING, cancel_requested_at=None)
    if running.update(cancel_requested_at=timezone.now(), reason=_STOPPING):
        states.note(job, "cancel_requested", str(job.attempt), actor=user.email)
        bell().ring()
    job.refresh_from_db()
    if job.status in {Job.Status.SUCCEEDED, Job.Status.FAILED}:
        raise conflict("finished", f"The job has already {job.status}. Its results are kept.")
    return job


def retry(user: User, job_id: str, key: str | None = None) -> Job:
    """Queue again what has no result: failed photos, and those that a cancelled job never reached.

    The same `key` retries the job once. 409: `not_finished`, `nothing_to_retry`, `app_gone`,
    `taken_down`, `insufficient_credits`, `in_debt`. 413: `quota_exceeded`. 429: `too_many` are queued.
    """
    once.check(key)
    operation = once.retry_of(job_id)
    with locks.owner(user.pk):  # looked at under the lock: the same key at the same moment finds the other's
        job = access.job_for(user, job_id)
        if once.done(user, key, operation):
            return job
        app, ok = _retriable(job)
        _check_room(user)
        charging.close(job)
        if not _queue_again(job, app, ok, user.email):
            raise conflict("not_finished", "The job was started again at the same moment.")
        charging.hold(job, app, job.total - ok)
        once.remember(user, key, operation, job.id)
        transaction.on_commit(bell().ring)
    # The controller does this again before it starts the attempt, should this process die here.
    store().delete(job.id, status="failed", before_attempt=job.attempt)
    return job


def remove(user: User, job_id: str) -> None:
    """Take a finished job and its documents off the list; its output folder stays. 409 `not_finished`."""
    job = access.job_for(user, job_id)
    if job.status in states.FINISHED:
        charging.close(job)
    rows = Job.objects.filter(id=job.id, status__in=states.FINISHED)
    if not rows.delete()[0]:
        raise conflict("not_finished", f"The job is {job.status}. Cancel it before removing it.")
    store().forget(job.id)  # its job folder has no row now: the controller deletes it


def _retriable(job: Job) -> tuple[App, int]:
    """The app to run it with, and how many photos have a result already. 409 where there is nothing to do."""
    if job.status not in states.FINISHED:
        raise conflict("not_finished", f"The job is {job.status}. Cancel it first, or wait for its end.")
    ok, _ = store().status_counts(job.id)
    if ok >= job.total:
        raise conflict("nothing_to_retry", "Every photo of this job has a result.")
    catalog.refuse_taken_down(job.app)
    app = catalog.find(job.app)
    if app is None:
        raise conflict("app_gone", f"{job.app_title} can't be run any more.")
    return app, ok


def _queue_again(job: Job, app: App, ok: int, actor: str) -> bool:
    return states.move(
        job,
        Job.Status.QUEUED,
        actor=actor,
        attempt=job.attempt + 1,
        app_version=job.app_version if job.weights else app.version,  # weights stay those of the submit
        done=ok,
        done_before=ok,
        failed=0,
        queued_at=timezone.now(),
        started=None,
        finished=None,
        cleaned_at=None,
        cancel_requested_at=None,
    )


def _store(user: User, plan: _Plan) -> Job:
    job = Job.objects.create(
        owner=user,
        app=plan.app.id,
        app_title=plan.app.title,
        app_version=plan.app.version,
        processor=plan.app.runs,
        weights=plan.app.weights,
        params=plan.params,
        assets=plan.assets,
        folder=plan.folder,
        folder_name=plan.folder.name,
        policy=plan.policy,
        parallelism=plan.parallelism,
        total=len(plan.images),
        estimated_seconds=plan.work,
        price_per_image=plan.app.price_per_image,
    )
    for image in plan.images:
        image.job = job
    JobImage.objects.bulk_create(plan.images, batch_size=_BATCH)
    return job


def _check_room(user: User) -> None:
    """Room for results in the drive, and in the queue. What was accepted earlier is never stopped for it."""
    usage = quota.usage(user)
    if not usage.left:
        text = (
            f"The drive is full: {usage.used / 1e9:.2f} of {usage.limit / 1e9:.2f} GB are used, and results "
            "need room. Deleting photos for good, or emptying the trash, makes some. Nothing was started."
        )
        raise too_large("quota_exceeded", text)
    if Job.objects.filter(owner=user, status=Job.Status.QUEUED).count() >= settings.MAX_QUEUED_JOBS:
        text = f"{settings.MAX_QUEUED_JOBS} of your jobs are waiting, the most allowed. Nothing was started."
        raise too_many(f"{text} Try again when one has begun.", _RETRY_AFTER)


def _checked(user: User, request: JobRequest) -> _Plan:
    app = catalog.app_for(user, request.app)
    folder = drive.folder_for(user, request.folder)
    params = catalog.validate(app, request.params)
    _check_spread(request)
    images = _snapshot(folder)
    _apply_image_params(app, params, request.image_params, images)
    return _Plan(
        app=app,
        folder=folder,
        params=params,
        assets=catalog.freeze_assets(user, app, params),
        policy=request.policy or current_policy(),
        parallelism=request.parallelism,
        images=images,
    )


def _snapshot(folder: Folder) -> list[JobImage]:
    limit = settings.MAX_JOB_IMAGES
    columns = ("id", "name", "sha256", "width", "height")
    rows = list(live_images(folder).values_list(*columns)[: limit + 1])
    if not rows:
        raise invalid("empty_folder", f"The folder “{folder.name}” holds no photos. Upload some first.")
    if len(rows) > limit:
        text = f"A job takes at most {limit:,} photos; “{folder.name}” holds more. Split it into folders."
        raise invalid("too_many_images", text)
    return [
        JobImage(position=position, image_id=id_, name=name, sha256=sha256, pixels=width * height)
        for position, (id_, name, sha256, width, height) in enumerate(rows)
    ]


def _check_spread(request: JobRequest) -> None:
    fields = {}
    if request.policy is not None and (problem := why_not(request.policy)):
        fields["policy"] = [problem]
    if not 0 <= request.parallelism <= MAX_PARALLELISM:
        fields["parallelism"] = [f"must be between 0 (as many nodes as are free) and {MAX_PARALLELISM}"]
    if fields:
        raise invalid("invalid", "The job can't be spread like that.", fields)


def _apply_image_params(
    app: App, params: dict[str, Any], image_params: dict[str, dict[str, Any]], images: list[JobImage]
) -> None:
    by_id = {image.image_id: image for image in images}
    fields: dict[str, list[str]] = {}
    for image_id, own in image_params.items():
        if image_id not in by_id:
            fields[f"image_params.{image_id}"] = ["is not a photo of this folder"]
            continue
        try:
            checked = catalog.validate(app, own)
        except ApiError as error:
            fields.update({f"image_params.{image_id}.{name}": texts for name, texts in error.fields.items()})
            continue
        for name in app.asset_options:
            if checked.get(name) and checked[name] != params.get(name):
                fields[f"image_params.{image_id}.{name}"] = ["must be the same folder as for the whole job"]
        by_id[image_id].params = checked
    if fields:
        raise invalid("invalid", "Some options of single photos can't be accepted.", fields)
