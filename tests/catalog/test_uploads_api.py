"""Chunked uploads: resumed after anything, bounded, and nobody else's."""

from __future__ import annotations

import hashlib
import io
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.catalog import storage
from apps.catalog.models import Upload, Version
from apps.catalog.services import listings, room, sweep, uploads
from marketplace.api import ApiError
from tests.drive.conftest import shared_database  # noqa: F401 - a fixture

BASE = "/api/v1"


def begin(client, listing, name="w.onnx", size=10):
    return client.post(f"{BASE}/listings/{listing.pk}/uploads", {"name": name, "size": size}, format="json")


def send(client, upload_id, offset, data, **extra):
    return client.generic(
        "PATCH",
        f"{BASE}/uploads/{upload_id}",
        data,
        "application/octet-stream",
        headers={"Upload-Offset": str(offset)},
        **extra,
    )


def test_chunks_become_the_file(alice_api, draft, monkeypatch):
    monkeypatch.setattr(storage, "CHUNK_BYTES", 4)
    made = begin(alice_api, draft).json()
    assert (made["offset"], made["chunk_size"], made["size"]) == (0, 4, 10)

    assert send(alice_api, made["id"], 0, b"0123").json()["offset"] == 4
    assert send(alice_api, made["id"], 4, b"4567").json()["sha256"] == ""
    last = send(alice_api, made["id"], 8, b"89")

    assert last.status_code == 200
    assert last.json()["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    assert storage.upload_path(made["id"]).read_bytes() == b"0123456789"


def test_wrong_offset_tells_the_right_one(alice_api, draft):
    upload_id = begin(alice_api, draft).json()["id"]
    send(alice_api, upload_id, 0, b"01234")

    again = send(alice_api, upload_id, 0, b"XXXXX")

    assert again.status_code == 409
    assert again.json()["error"]["code"] == "wrong_offset"
    assert again.json()["error"]["fields"] == {"offset": ["5"]}
    assert storage.upload_path(upload_id).read_bytes() == b"01234"


def test_same_file_again_goes_on_with_it(alice_api, draft):
    first = begin(alice_api, draft).json()
    send(alice_api, first["id"], 0, b"012")

    again = begin(alice_api, draft).json()

    assert (again["id"], again["offset"]) == (first["id"], 3)
    assert begin(alice_api, draft, size=11).json()["id"] != first["id"]


def test_resumes_after_a_crash_between_writing_and_counting(alice, alice_api, draft, monkeypatch):
    upload_id = begin(alice_api, draft).json()["id"]
    real = Upload.save

    def die(self, *args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Upload, "save", die)
    with pytest.raises(KeyboardInterrupt):
        uploads.append(alice, upload_id, offset=0, data=b"broken!!!")
    monkeypatch.setattr(Upload, "save", real)

    assert alice_api.get(f"{BASE}/uploads/{upload_id}").json()["offset"] == 0
    send(alice_api, upload_id, 0, b"01234")
    assert (
        send(alice_api, upload_id, 5, b"56789").json()["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    )


@pytest.mark.parametrize(
    ("data", "headers", "code"),
    [
        (b"", {"Upload-Offset": "0"}, "bad_chunk"),
        (b"x" * 11, {"Upload-Offset": "0"}, "beyond_size"),
        (b"x", {}, "invalid"),
        (b"x", {"Upload-Offset": "-1"}, "invalid"),
        (b"x", {"Upload-Offset": "9" * 30}, "invalid"),
        (b"x" * ((4 << 20) + 5), {"Upload-Offset": "0"}, "bad_chunk"),
    ],
)
def test_bad_chunks_are_refused(alice_api, draft, data, headers, code):
    upload_id = begin(alice_api, draft).json()["id"]

    answer = alice_api.generic(
        "PATCH", f"{BASE}/uploads/{upload_id}", data, "application/octet-stream", headers=headers
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert Upload.objects.get().offset == 0


def test_chunk_that_was_cut_off_is_not_kept(alice_api, draft):
    upload_id = begin(alice_api, draft).json()["id"]

    answer = send(
        alice_api, upload_id, 0, b"012", **{"CONTENT_LENGTH": "7", "wsgi.input": io.BytesIO(b"012")}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_chunk")
    assert Upload.objects.get().offset == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "w.onnx", "size": 0}, 422, "empty"),
        ({"name": "w.onnx", "size": 2_000}, 413, "too_large"),
        ({"name": "a/b", "size": 5}, 422, "bad_name"),
        ({"name": "w.onnx", "size": "much"}, 422, "invalid"),
        ({"size": 5}, 422, "invalid"),
    ],
)
def test_what_can_not_be_begun(alice_api, draft, settings, body, status, code):
    settings.MAX_WEIGHTS_BYTES = 1_000

    answer = alice_api.post(f"{BASE}/listings/{draft.pk}/uploads", body, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not Upload.objects.exists()


def test_open_uploads_and_bytes_are_bounded(alice, alice_api, draft, settings):
    settings.WEIGHTS_QUOTA_BYTES = 35
    for number in range(room.MAX_OPEN):
        assert begin(alice_api, draft, f"{number}.onnx").status_code == 201
    assert begin(alice_api, draft, "more.onnx").json()["error"]["code"] == "too_many_uploads"

    alice_api.delete(f"{BASE}/uploads/{Upload.objects.first().pk}")

    assert begin(alice_api, draft, "more.onnx", 16).json()["error"]["code"] == "quota_exceeded"
    assert begin(alice_api, draft, "more.onnx", 15).status_code == 201
    assert room.used(alice) == 35


def test_giving_up_removes_the_bytes(alice_api, draft):
    upload_id = begin(alice_api, draft).json()["id"]
    send(alice_api, upload_id, 0, b"012")

    assert alice_api.delete(f"{BASE}/uploads/{upload_id}").status_code == 204

    assert not storage.upload_path(upload_id).exists()
    assert alice_api.get(f"{BASE}/uploads/{upload_id}").status_code == 404


def test_stale_uploads_and_files_of_nobody_are_swept(alice_api, draft, upload_version):
    waiting = upload_version()
    old, fresh = (begin(alice_api, draft, name).json()["id"] for name in ("old.onnx", "new.onnx"))
    for upload_id in (old, fresh):
        send(alice_api, upload_id, 0, b"012")
    Upload.objects.filter(pk=old).update(updated=timezone.now() - sweep.STALE - timedelta(seconds=1))
    (storage.uploads_dir() / "nobodys").write_bytes(b"x")

    sweep.run(grace=0)

    assert list(Upload.objects.values_list("pk", flat=True)) == [fresh]
    assert {path.name for path in storage.uploads_dir().iterdir()} == {fresh, waiting.upload_id}


def test_sweep_keeps_what_is_needed(ready, upload_version, settings):
    version = ready()
    (settings.DATA_DIR / "weights" / f"{'0' * 64}.onnx").write_bytes(b"x")
    storage.intake_dir().joinpath("left.over").mkdir()

    assert sweep.run(grace=86400) == dict.fromkeys(("uploads", "files", "folders", "weights", "pictures"), 0)
    swept = sweep.run(grace=0)

    assert (swept["weights"], swept["folders"]) == (1, 1)
    assert [p.stem for p in (settings.DATA_DIR / "weights").iterdir()] == [version.weights_sha256]
    assert storage.sample_path(version.pk, 1).exists()


def test_lost_bytes_begin_anew(alice_api, draft):
    upload_id = begin(alice_api, draft, size=3).json()["id"]
    send(alice_api, upload_id, 0, b"012")
    Upload.objects.update(sha256="")
    storage.drop_upload(upload_id)

    answer = alice_api.post(f"{BASE}/listings/{draft.pk}/versions", {"upload": upload_id}, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "upload_gone")
    assert alice_api.get(f"{BASE}/uploads/{upload_id}").json()["offset"] == 0
    assert not Version.objects.exists()


def test_of_the_same_chunk_twice_at_once_one_counts(shared_database, alice):  # noqa: F811
    draft = listings.create(alice, title="T", family="gan")
    upload = uploads.begin(alice, draft, name="w.onnx", size=6)
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def work() -> None:
        try:
            barrier.wait(10)
            uploads.append(alice, upload.pk, offset=0, data=b"abc")
            outcomes.append("ok")
        except ApiError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["ok", "wrong_offset", "wrong_offset", "wrong_offset"]
    assert Upload.objects.get().offset == 3
