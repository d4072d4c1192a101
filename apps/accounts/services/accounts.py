"""An account ends, with everything that belongs to it."""

from __future__ import annotations

import logging

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services import tokens
from apps.catalog.services import listings
from apps.cluster.engines import get_engine
from apps.drive.services import owners
from apps.payments.services import closing
from apps.processing.documents import store
from apps.processing.models import Job
from apps.processing.services.states import FINISHED

log = logging.getLogger(__name__)


def delete(user: User) -> None:
    """Photos, jobs with their results, listings, tokens and the person; nothing of it can be had back.

    First nobody can log in any more, then the data goes, the person last: cut off in between, it can be
    done again by staff and no step minds. Workers of running jobs are told to stop; the controller clears
    their folders away when it finds that their jobs are no more.
    """
    user.is_active = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    tokens.revoke_all(user)
    jobs = list(Job.objects.filter(owner=user).values_list("id", "status"))
    for job_id, status in jobs:
        if status not in FINISHED:
            _stop(job_id)
        store().forget(job_id)
    with transaction.atomic():
        closing.close(user)
        owners.delete_all(user.pk)
        listings.leave(user)
        user.delete()
    for job_id, _ in jobs:
        store().forget(job_id)  # what a worker finished meanwhile


def _stop(job_id: str) -> None:
    try:
        get_engine().stop(job_id)
    except Exception:  # whatever the engine's world raises: the job's folder goes in any case
        log.exception("job %s could not be stopped while its owner was deleted", job_id)
