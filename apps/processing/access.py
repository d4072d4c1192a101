"""Whose job it is. Another's job is 404, as if it were not there."""

from __future__ import annotations

from django.http import Http404

from apps.accounts.models import User
from apps.processing.models import Job
from marketplace.ids import is_id


def job_for(user: User, job_id: str) -> Job:
    """The job with this id if it is the user's; Http404 otherwise."""
    mine = Job.objects.filter(id=job_id, owner=user).select_related("output_folder")
    job = mine.first() if is_id(job_id) else None
    if job is None:
        raise Http404("There is no job with this id.")
    return job
