"""Results enter the drive: moved, not copied; once, whatever happens in between."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from apps.drive import storage, tasks
from apps.drive.models import Attachment, Image
from apps.drive.services import folders, ingest, quota
from apps.drive.services.ingest import Adopted, AdoptedFile
from marketplace.api import ApiError
from tests.drive import photos


@pytest.fixture
def item(settings) -> Adopted:
    """As a job leaves it: a PNG and the same as text."""
    output = settings.DATA_DIR / "jobs" / "j1" / "output"
    output.mkdir(parents=True)
    image, text = photos.photo(format="png"), b"@@..@@"
    (output / "i1.png").write_bytes(image)
    (output / "i1.txt").write_bytes(text)
    art = AdoptedFile(output / "i1.txt", "cat.txt", "text/plain", hashlib.sha256(text).hexdigest(), len(text))
    sha256 = hashlib.sha256(image).hexdigest()
    return Adopted(output / "i1.png", "cat.png", sha256, "png", len(image), 64, 48, "job:j1:i1", [art])


def test_files_are_renamed_and_rows_made(alice, holiday, item):
    inode = item.path.stat().st_ino

    [image] = ingest.adopt(alice.pk, holiday, [item])

    blob = storage.blob_path(alice.pk, item.sha256)
    assert blob.stat().st_ino == inode
    assert not item.path.exists()
    assert (image.name, image.folder, image.format, image.bytes) == ("cat.png", holiday, "png", item.bytes)
    file = image.attachments.get()
    assert (file.name, file.media_type, file.bytes) == ("cat.txt", "text/plain", 6)
    assert storage.blob_path(alice.pk, file.sha256).read_bytes() == b"@@..@@"
    assert quota.usage(alice).used == item.bytes + 6


def test_again_gives_the_same(alice, holiday, item):
    first = ingest.adopt(alice.pk, holiday, [item])

    again = ingest.adopt(alice.pk, holiday, [item])

    assert again == first
    assert Image.objects.count() == Attachment.objects.count() == 1


def test_crash_between_move_and_commit(alice, holiday, item, monkeypatch):
    real = Image.objects.bulk_create

    def killed(rows):
        raise SystemExit("kill -9")

    monkeypatch.setattr(Image.objects, "bulk_create", killed)
    with pytest.raises(SystemExit):
        ingest.adopt(alice.pk, holiday, [item])
    assert not item.path.exists()
    assert Image.objects.count() == 0
    monkeypatch.setattr(Image.objects, "bulk_create", real)

    [image] = ingest.adopt(alice.pk, holiday, [item])

    assert image.name == "cat.png"
    assert storage.blob_path(alice.pk, image.sha256).exists()
    assert image.attachments.count() == 1


def test_renamed_and_moved_results_are_still_known(alice, holiday, item):
    [image] = ingest.adopt(alice.pk, holiday, [item])
    Image.objects.filter(pk=image.pk).update(name="mine.png", folder=folders.create(alice, "Other"))

    assert ingest.adopt(alice.pk, holiday, [item]) == [image]
    assert Image.objects.count() == 1


def test_lost_results_are_left_out_and_the_others_kept(alice, holiday, item, caplog):
    lost = replace(item, path=item.path.with_name("gone.png"), sha256="e" * 64, origin="job:j1:i2")
    short = replace(item, sha256="f" * 64, bytes=item.bytes + 1, origin="job:j1:i3")

    made = ingest.adopt(alice.pk, holiday, [lost, short, item])

    assert [image.origin for image in made] == ["job:j1:i1"]
    assert caplog.text.count("is gone or not") == 2


def test_a_wrong_hash_never_replaces_a_photo(alice, holiday, item):
    original = photos.add(alice, holiday)
    before = storage.blob_path(alice.pk, original.sha256).read_bytes()

    ingest.adopt(alice.pk, holiday, [replace(item, sha256=original.sha256)])

    assert storage.blob_path(alice.pk, original.sha256).read_bytes() == before


def test_taken_and_strange_names(alice, holiday, item):
    photos.add(alice, holiday, "cat.png")
    odd = replace(item, name="../..\0", origin="job:j1:i2")

    made = ingest.adopt(alice.pk, holiday, [item, replace(item, origin="job:j1:i4"), odd])

    assert [image.name for image in made] == ["cat (2).png", "cat (3).png", ".._.."]


def test_a_full_quota_does_not_fail_it(alice, holiday, item):
    alice.quota_bytes = 0
    alice.save()

    assert len(ingest.adopt(alice.pk, holiday, [item])) == 1


def test_folder_deleted_in_the_meantime(alice, holiday, item):
    holiday.delete()
    holiday.pk = "gone"

    with pytest.raises(ApiError) as caught:
        ingest.adopt(alice.pk, holiday, [item])

    assert caught.value.code == "folder_gone"
    assert item.path.exists()


def test_into_a_trashed_folder_it_goes_all_the_same(alice, holiday, item):
    folders.trash(holiday)

    assert len(ingest.adopt(alice.pk, holiday, [item])) == 1


def test_thumbnails_are_made_afterwards(alice, holiday, item, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.make_thumbnails, "apply_async", lambda args, **_: asked.append(args))
    [image] = ingest.adopt(alice.pk, holiday, [item])
    assert asked == []

    tasks.make_folder_thumbnails(holiday.pk)

    assert asked == [([image.pk],)]
    assert not storage.thumb_path(alice.pk, image.sha256).exists()
    tasks.make_thumbnails([image.pk, "gone"])
    tasks.make_thumbnails([image.pk])
    assert storage.thumb_path(alice.pk, image.sha256).exists()


def test_a_broker_that_is_away_is_no_error(holiday, monkeypatch, caplog):
    def away(args, **_):
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.make_folder_thumbnails, "apply_async", away)

    tasks.enqueue_folder(holiday.pk)

    assert "no thumbnails" in caplog.text
