"""Requests about the same job at the same moment, on a database that several threads share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.apps import apps as django_apps
from django.db import connection

from apps.accounts.models import User
from apps.processing.documents.sql import SqlDocuments
from apps.processing.models import Finding, Job, JobImage
from apps.processing.services import jobs, states
from apps.processing.services.jobs import JobRequest
from marketplace.api import ApiError
from tests.drive.conftest import shared_database  # noqa: F401 - a fixture
from tests.processing.test_documents_store import doc, found

# Naming the apps lets the clean-up truncate with CASCADE on PostgreSQL.
pytestmark = pytest.mark.django_db(
    transaction=True, available_apps=[app.name for app in django_apps.get_app_configs()]
)


@pytest.fixture
def owner(shared_database) -> User:  # noqa: F811
    return User.objects.create_user("alice@example.org")


def at_once(calls: list[Callable[[], object]]) -> list[object]:
    """What each call gave; the code of an ApiError is an answer too."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        gate.wait()
        try:
            return call()
        except ApiError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_the_same_key_makes_one_job(owner, photos):
    request = JobRequest(app="bw", folder=photos(owner, 2).id)
    made = at_once([lambda: jobs.submit(owner, request, key="k").id] * 5)
    assert set(made) == {Job.objects.get().id}
    assert JobImage.objects.count() == 2


def test_two_requests_with_one_key_start_one_job(owner, photos):
    requests = [JobRequest(app=app, folder=photos(owner, 2, app).id) for app in ("bw", "ascii")]
    answers = at_once(
        [lambda request=request: jobs.submit(owner, request, key="k").id for request in requests]
    )
    assert sorted(answers) == sorted([Job.objects.get().id, "idempotency_key_reused"])


def test_the_last_place_in_the_queue_is_given_once(owner, photos, settings):
    settings.MAX_QUEUED_JOBS = 2
    request = JobRequest(app="bw", folder=photos(owner, 1).id)
    answers = at_once([lambda: jobs.submit(owner, request).status] * 5)
    assert sorted(answers) == ["queued"] * 2 + ["too_many"] * 3
    assert Job.objects.count() == 2


def test_one_retry_of_several_wins(owner, submit):
    job = submit(owner, 2)
    Job.objects.update(status="failed")
    answers = at_once([lambda: jobs.retry(owner, job.id).attempt] * 4)
    assert sorted(map(str, answers)) == ["2", "not_finished", "not_finished", "not_finished"]
    assert Job.objects.get().attempt == 2


def test_the_same_key_retries_once_for_all(owner, submit):
    job = submit(owner, 2)
    Job.objects.update(status="failed")
    assert at_once([lambda: jobs.retry(owner, job.id, key="k").attempt] * 4) == [2, 2, 2, 2]


def test_a_start_and_a_cancel_at_once_leave_one_clear_state(owner, submit):
    for number in range(5):
        job = submit(owner, 1, f"Folder {number}")
        moved, cancelled = at_once(
            [
                lambda job=job: states.move(Job.objects.get(id=job.id), "running"),
                lambda job=job: jobs.cancel(owner, job.id).status,
            ]
        )
        job.refresh_from_db()
        assert job.status == ("running" if moved else "cancelled") == cancelled
        assert (job.cancel_requested_at is not None) is moved


def test_two_that_save_the_same_documents_share_them_out(owner):
    docs = [doc(number, data=found(("boat", 0.9, "red", "red"))) for number in range(40)]
    saved = at_once([lambda: len(SqlDocuments().save_many(docs))] * 4)
    assert sum(saved) == 40
    assert SqlDocuments().status_counts("j") == (40, 0)
    assert Finding.objects.count() == 40
