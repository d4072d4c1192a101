"""Which state may follow which, and the only way to change one.

A change is one conditional UPDATE: of two processes that try at once, one finds the row changed and does
nothing. So nothing here needs a lock, and nobody may write `Job.status` in any other way.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.processing.documents import store
from apps.processing.documents.base import Event
from apps.processing.models import Job
from apps.processing.services import charging

Status = Job.Status

TRANSITIONS: dict[str, frozenset[str]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset({Status.QUEUED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}
ACTIVE = frozenset({Status.QUEUED, Status.RUNNING})
FINISHED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


def sources(status: str) -> list[str]:
    """The states from which a job can come to `status`."""
    return [before for before, after in TRANSITIONS.items() if status in after]


def move(
    job: Job,
    status: str,
    *,
    only_from: str | None = None,
    reason: str = "",
    actor: str = "controller",
    **changes: Any,
) -> bool:
    """Change the job's state and `changes` with it, if its state now allows that (and is `only_from`, where
    given) and its attempt is still the same. False, and nothing changed, otherwise. On success `job` has the
    new values."""
    now = timezone.now()
    values: dict[str, Any] = {"status": status, "reason": reason[:300], **changes}
    if status in FINISHED:
        values.setdefault("finished", now)
    before = [one for one in sources(status) if only_from in (None, one)]
    rows = Job.objects.filter(id=job.id, attempt=job.attempt, status__in=before)
    if not rows.update(**values):
        return False
    for name, value in values.items():
        setattr(job, name, value)
    if status in FINISHED:
        charging.close(job)
    note(job, "state", f"{job.attempt}:{status}", reason=reason, actor=actor, data={"status": str(status)})
    return True


def note(
    job: Job,
    kind: str,
    key: str,
    *,
    reason: str = "",
    actor: str = "controller",
    data: dict[str, Any] | None = None,
) -> bool:
    """Record an event; the same kind and key twice is one event."""
    return store().record(
        Event(job.id, kind, f"{kind}:{key}", timezone.now(), actor, reason[:300], data or {})
    )
