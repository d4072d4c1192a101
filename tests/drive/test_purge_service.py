"""What time deletes, and what it must not."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from apps.drive import storage
from apps.drive.models import Attachment, Folder, Image
from apps.drive.services import folders, images, owners, purge, selection
from tests.drive import photos


@pytest.fixture
def holders(monkeypatch) -> list:
    found: list = []
    monkeypatch.setattr(purge, "_holders", found)
    return found


def test_trash_goes_after_its_days(alice, holiday, settings):
    settings.TRASH_DAYS = 30
    old, fresh, living = (photos.add(alice, holiday, f"{n}.jpg") for n in range(3))
    gone = folders.create(alice, "gone")
    photos.add(alice, gone)
    now = timezone.now()
    Image.objects.filter(pk=old.pk).update(trashed_at=now - timedelta(days=30, minutes=1))
    Image.objects.filter(pk=fresh.pk).update(trashed_at=now - timedelta(days=29))
    Folder.objects.filter(pk=gone.pk).update(trashed_at=now - timedelta(days=31))

    assert purge.expired_trash() == 2

    assert set(Image.objects.all()) == {fresh, living}
    assert list(Folder.objects.all()) == [holiday]


def test_bytes_that_nothing_names_go(alice, holiday):
    kept, deleted = photos.add(alice, holiday, "a.jpg"), photos.add(alice, holiday, "b.jpg")
    attached = "a" * 64
    storage.blob_path(alice.pk, attached).write_bytes(b"text")
    Attachment.objects.create(image=kept, name="t", media_type="text/plain", sha256=attached, bytes=4)
    images.trash(deleted)
    selection.delete(alice, selection.Selection(image_ids=[deleted.pk]))

    assert purge.blobs(grace=0) == 1

    assert storage.blob_path(alice.pk, kept.sha256).exists()
    assert storage.blob_path(alice.pk, attached).exists()
    assert not storage.blob_path(alice.pk, deleted.sha256).exists()
    assert not storage.thumb_path(alice.pk, deleted.sha256).exists()


def test_bytes_stay_while_another_row_names_them(alice, holiday):
    image = photos.add(alice, holiday, "a.jpg", seed=1)
    photos.add(alice, folders.create(alice, "Other"), "b.jpg", seed=1)
    image.delete()

    assert purge.blobs(grace=0) == 0
    assert storage.blob_path(alice.pk, image.sha256).exists()


def test_fresh_bytes_are_left_alone(alice, holiday):
    photos.add(alice, holiday).delete()

    assert purge.blobs() == 0
    assert purge.blobs(grace=0) == 1


def test_bytes_that_a_job_still_needs_stay(alice, holiday, holders):
    image = photos.add(alice, holiday)
    image.delete()
    holders.append(lambda owner_id, hashes: hashes & {image.sha256} if owner_id == alice.pk else set())

    assert purge.blobs(grace=0) == 0
    holders.clear()
    assert purge.blobs(grace=0) == 1


def test_rows_of_others_do_not_keep_bytes(alice, bob, holiday):
    photos.add(alice, holiday, seed=1).delete()
    photos.add(bob, folders.create(bob, "Mine"), seed=1)

    assert purge.blobs(grace=0) == 1


def test_broken_uploads_go(alice):
    storage.incoming_dir().mkdir(parents=True)
    (storage.incoming_dir() / "x").write_bytes(b"half")

    assert purge.incoming() == 0
    assert purge.incoming(grace=0) == 1


def test_everything_of_an_owner_goes(alice, bob, holiday, django_capture_on_commit_callbacks):
    photos.add(alice, holiday)
    other = photos.add(bob, folders.create(bob, "Mine"))

    with django_capture_on_commit_callbacks(execute=True):
        owners.delete_all(alice.pk)
        owners.delete_all(alice.pk)

    assert list(Image.objects.all()) == [other]
    assert not (storage.drive_dir() / alice.pk).exists()
    assert not (storage.thumbs_dir() / alice.pk).exists()
    assert storage.blob_path(bob.pk, other.sha256).exists()


def test_bytes_of_an_owner_who_is_gone_are_found_later(alice, holiday):
    photos.add(alice, holiday)
    user_id = alice.pk
    alice.delete()

    assert purge.blobs() == 0
    assert purge.blobs(grace=0) == 1
    assert not (storage.drive_dir() / user_id).exists()


def cached(owner_id: str, days: float = 0) -> Path:
    """A cache file that was last written, and read, so many days ago."""
    path = storage.cache_dir() / owner_id / "tiles" / "a.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"tiles")
    then = time.time() - days * 86400
    os.utime(path, (then, then))
    return path


def test_cache_of_an_owner_goes_with_them(alice, bob, django_capture_on_commit_callbacks):
    mine, other = cached(alice.pk), cached(bob.pk)

    with django_capture_on_commit_callbacks(execute=True):
        owners.delete_all(alice.pk)

    assert not mine.parent.parent.exists()
    assert other.exists()


def test_cache_of_nobody_is_found_later(alice):
    path, kept = cached("0" * 22), cached(alice.pk)

    assert purge.caches() == 0
    assert purge.caches(grace=0) == 1
    assert not path.parent.parent.exists()
    assert kept.exists()


def test_cache_out_of_use_goes(alice, bob):
    old, fresh = cached(alice.pk, days=30.1), cached(bob.pk, days=29.9)

    assert purge.caches() == 1

    assert (old.exists(), fresh.exists()) == (False, True)


def test_cache_that_is_read_stays(alice):
    path = cached(alice.pk, days=90)
    os.utime(path, (time.time(), path.stat().st_mtime))

    assert purge.caches() == 0
    assert path.exists()


def test_run_and_an_empty_drive(db):
    assert purge.run() == {"trashed": 0, "blobs": 0, "incoming": 0, "cached": 0}


@pytest.mark.parametrize(
    ("owner", "sha"), [("../x", "a" * 64), ("a", "../" + "a" * 61), ("", "a" * 64), ("a", "A" * 64)]
)
def test_paths_can_not_lead_out(owner, sha):
    with pytest.raises(ValueError, match="not an owner"):
        storage.blob_path(owner, sha)
