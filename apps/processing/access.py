"""Whose job it is. Another's job is 404, as if it were not there."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.models import User
from apps.processing.models import Job
from marketplace.ids import is_id
from marketplace.prepared import Prepared


def job_for(user: User, job_id: str) -> Job:
    """The job with this id if it is the user's; Http404 otherwise."""
    found = _MINE.models(job_id, user.pk) if is_id(job_id) else []
    if not found:
        raise _no_job()
    return found[0]


def job_in(jobs: QuerySet[Job], user: User, job_id: str) -> Job:
    """The same, of a query that loads more with it."""
    job = jobs.filter(id=job_id, owner=user).first() if is_id(job_id) else None
    if job is None:
        raise _no_job()
    return job


_MINE = Prepared(lambda job_id, owner_id: Job.objects.filter(id=job_id, owner_id=owner_id))


def _no_job() -> Http404:
    return Http404("There is no job with this id.")
