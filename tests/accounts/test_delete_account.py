"""Deleting an account takes everything that is its, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from PIL import Image as Picture

from apps.accounts.models import ApiToken, User
from apps.accounts.services import accounts, tokens
from apps.drive.models import Folder, Image
from apps.drive.services import folders, images
from apps.processing.documents import store
from apps.processing.models import Job
from tests.conftest import PASSWORD


def _photo(owner, shade: int) -> Image:
    folder = folders.create(owner, f"Photos {shade}")
    data = io.BytesIO()
    Picture.new("RGB", (32, 24), (shade, 0, 0)).save(data, "PNG")
    data.seek(0)
    return images.add(owner, folder, "photo.png", data)


def _files(owner) -> list[Path]:
    return [path for path in settings.DATA_DIR.rglob("*") if path.is_file() and owner.pk in path.parts]


def _job(owner, **fields) -> Job:
    job = Job.objects.create(
        owner=owner, app="blackwhite", folder_name="Photos", params={}, total=1, **fields
    )
    doc = {
        "job": job.pk,
        "image": "i1",
        "position": 0,
        "status": "ok",
        "attempt": 1,
        "node": "node-1",
        "worker": "w",
    }
    store().save_many([{**doc, "name": "a", "started": 1.0, "finished": 2.0}])
    return job


@pytest.mark.django_db(transaction=True)
def test_everything_of_the_person_goes_and_nothing_of_others(alice, bob):
    for owner, shade in ((alice, 10), (bob, 20)):
        _photo(owner, shade)
        tokens.create(owner, "script")
    gone, stays = _job(alice), _job(bob)
    assert len(_files(alice)) == len(_files(bob)) == 2  # the photo and its thumbnail

    accounts.delete(alice)

    assert list(User.objects.all()) == [bob]
    assert _files(alice) == []
    assert len(_files(bob)) == 2
    for model in (Folder, Image, Job):
        assert [row.owner_id for row in model.objects.all()] == [bob.pk]
    assert [row.user_id for row in ApiToken.objects.all()] == [bob.pk]
    assert store().known(gone.pk) == set()
    assert store().known(stays.pk) == {"i1"}


@pytest.mark.django_db(transaction=True)
def test_running_job_is_told_to_stop(alice):
    job = _job(alice, status=Job.Status.RUNNING)
    folder = settings.DATA_DIR / "jobs" / job.pk
    folder.mkdir(parents=True)

    accounts.delete(alice)

    assert (folder / "stop").exists()


def test_page_needs_the_right_password(alice, alice_web):
    response = alice_web.post("/account/delete/", {"password": "wrong"})

    assert response.status_code == 422
    assert "Nothing was deleted" in response.content.decode()
    assert User.objects.filter(pk=alice.pk).exists()


def test_page_without_a_log_in_deletes_nothing(alice, charlie_web):
    charlie_web.post("/account/delete/", {"password": PASSWORD})

    assert User.objects.filter(pk=alice.pk).exists()


def test_guessing_passwords_on_the_page_is_limited(alice, alice_web):
    for _ in range(5):
        alice_web.post("/account/delete/", {"password": "wrong"})

    response = alice_web.post("/account/delete/", {"password": PASSWORD})

    assert "Too many" in response.content.decode()
    assert User.objects.filter(pk=alice.pk).exists()


def test_page_deletes_and_says_so(alice, alice_web):
    response = alice_web.post("/account/delete/", {"password": PASSWORD}, follow=True)

    assert not User.objects.exists()
    assert not Session.objects.filter(session_data__contains=alice.pk).exists()
    assert "is deleted" in response.content.decode()
    assert response.redirect_chain == [("/", 302)]
