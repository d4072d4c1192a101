"""What a user does to jobs: quote, submit, cancel, retry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.accounts.models import User
from apps.processing.models import Job


@dataclass(frozen=True)
class JobRequest:
    """What a user asks for. `image_params` maps an image id to options that replace the job's for it."""

    app: str
    folder: str
    params: dict[str, Any] = field(default_factory=dict)
    image_params: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: str | None = None  # None: what the cluster uses now
    parallelism: int = 0  # most nodes at once; 0: as many as are free


@dataclass(frozen=True)
class Quote:
    images: int
    price: int  # credits
    eta_seconds: float  # until it would be finished, waiting included
    queue_position: int  # 0: would start at once


def quote(user: User, request: JobRequest) -> Quote:
    """What the job would cost and take. The same checks and errors as `submit`; nothing is stored."""
    raise NotImplementedError


def submit(user: User, request: JobRequest, key: str | None = None) -> Job:
    """A queued job. The same `key` (Idempotency-Key) gives the same job, whatever else is sent.

    404: app, folder. 422: `invalid` (fields), `empty_folder`, `too_many_images`.
    """
    raise NotImplementedError


def cancel(user: User, job_id: str) -> Job:
    """Queued: cancelled at once. Running: asked to stop. 409 `finished` afterwards; again is no error."""
    raise NotImplementedError


def retry(user: User, job_id: str) -> Job:
    """Queue what has no result again (failed, or never run). 409 `not_finished` or `nothing_to_retry`."""
    raise NotImplementedError


def remove(user: User, job_id: str) -> None:
    """Take a finished job and its documents off the list; its output folder stays. 409 `not_finished`."""
    raise NotImplementedError
