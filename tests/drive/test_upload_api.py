"""POST folders/{id}/images: what is kept, what is refused and why, and that nothing is half-kept."""

from __future__ import annotations

import errno
import hashlib
import io

import pytest
from django.test import Client

from apps.drive import storage
from apps.drive.models import Folder, Image
from apps.drive.services import folders
from tests.drive import photos
from tests.drive.photos import upload


def blobs(user) -> set[str]:
    folder = storage.drive_dir() / user.pk
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def incoming() -> list[str]:
    folder = storage.incoming_dir()
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_photo_is_kept_with_its_bytes_and_thumbnail(alice_api, alice, holiday):
    data = photos.photo(width=640, height=400)

    answer = upload(alice_api, holiday, [("cat.jpg", data)])

    assert answer.status_code == 201
    image = Image.objects.get()
    sha256 = hashlib.sha256(data).hexdigest()
    assert answer.json() == {
        "items": [
            {
                "id": image.pk,
                "name": "cat.jpg",
                "folder": holiday.pk,
                "width": 640,
                "height": 400,
                "format": "jpeg",
                "bytes": len(data),
                "sha256": sha256,
                "created": image.created.isoformat().replace("+00:00", "Z"),
                "duplicate_of": None,
            }
        ],
        "rejected": [],
    }
    blob = storage.blob_path(alice.pk, sha256)
    assert blob.read_bytes() == data
    assert blob.stat().st_mode & 0o222 == 0
    assert storage.thumb_path(alice.pk, sha256).exists()
    assert incoming() == []


def bad_files() -> dict[str, tuple[str, bytes]]:
    whole = photos.photo(width=200, height=200)
    return {
        "unsupported_type": ("film.jpg", b"GIF89a" + b"\0" * 100),
        "truncated": ("half.jpg", whole[: len(whole) // 2]),
        "too_large": ("large.jpg", whole + b"\0" * 200_000),
        "too_many_pixels": ("wide.png", photos.png_of_size(10_000, 5001)),
        "animated": ("film.webp", photos.animated("webp")),
        "empty": ("nothing.jpg", b""),
        "bad_name": ("../../etc/cat.jpg", whole),
        "corrupt": (
            "odd.png",
            photos.photo(format="png")[:45] + b"\0" * 20 + photos.photo(format="png")[65:],
        ),
    }


@pytest.mark.parametrize("code", sorted(bad_files()))
def test_each_refusal_has_its_reason_and_keeps_nothing(alice_api, alice, holiday, settings, code):
    settings.MAX_IMAGE_BYTES = 150_000
    name, data = bad_files()[code]

    answer = upload(alice_api, holiday, [(name, data)])

    assert answer.status_code == 422
    body = answer.json()
    assert [(row["name"], row["code"]) for row in body["rejected"]] == [(name, code)]
    assert body["items"] == []
    assert body["error"]["code"] == code
    assert body["error"]["message"] == body["rejected"][0]["message"]
    assert Image.objects.count() == 0
    assert blobs(alice) == set()
    assert incoming() == []


def test_refused_files_leave_the_rest_kept(alice_api, alice, holiday, settings):
    settings.MAX_IMAGE_BYTES = 150_000
    bad = bad_files()
    files = [*bad.values()]
    files.insert(3, ("one.jpg", photos.photo(1)))
    files.append(("two.png", photos.photo(2, "png")))

    answer = upload(alice_api, holiday, files)

    assert answer.status_code == 201
    assert [item["name"] for item in answer.json()["items"]] == ["one.jpg", "two.png"]
    assert [row["code"] for row in answer.json()["rejected"]] == list(bad)
    assert len(blobs(alice)) == 2
    assert incoming() == []


def test_all_refused_for_several_reasons(alice_api, holiday):
    answer = upload(alice_api, holiday, [("a.jpg", b""), ("b.jpg", b"x")])

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "all_rejected"
    assert len(answer.json()["error"]["fields"]["files"]) == 2


@pytest.mark.parametrize("name", ["/cat.jpg", "a/../cat.jpg", "..", "a\\b.jpg", "c:\\cat.jpg", "con.jpg"])
def test_path_tricks_in_names(alice_api, holiday, name):
    answer = upload(alice_api, holiday, [(name, photos.photo())])

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_name"
    assert Folder.objects.count() == 1


def test_file_names_with_folders_make_them(alice_api, alice, holiday):
    files = [
        ("day 1/cat.jpg", photos.photo(1)),
        ("day 1/dog.jpg", photos.photo(2)),
        ("day 2/a/b.jpg", photos.photo(3)),
    ]

    answer = upload(alice_api, holiday, files)

    assert answer.status_code == 201
    day1 = Folder.objects.get(name="day 1", parent=holiday)
    day2 = Folder.objects.get(name="day 2", parent=holiday)
    assert list(day1.images.order_by("name").values_list("name", flat=True)) == ["cat.jpg", "dog.jpg"]
    assert Image.objects.get(name="b.jpg").folder == Folder.objects.get(name="a", parent=day2)


def test_a_refused_photo_makes_no_folder(alice_api, holiday):
    upload(alice_api, holiday, [("day 1/cat.jpg", b"no photo")])

    assert Folder.objects.count() == 1


def test_same_bytes_in_the_same_folder_are_told_and_not_kept_twice(alice_api, holiday):
    first = upload(alice_api, holiday, [("cat.jpg", photos.photo())]).json()["items"][0]

    answer = upload(alice_api, holiday, [("copy.jpg", photos.photo())])

    assert answer.status_code == 201
    again = answer.json()["items"][0]
    assert (again["id"], again["name"], again["duplicate_of"]) == (first["id"], "cat.jpg", first["id"])
    assert Image.objects.count() == 1


def test_duplicates_can_be_kept(alice_api, alice, holiday):
    first = upload(alice_api, holiday, [("cat.jpg", photos.photo())]).json()["items"][0]

    again = upload(alice_api, holiday, [("cat.jpg", photos.photo())], "?duplicates=keep").json()["items"][0]

    assert (again["name"], again["duplicate_of"]) == ("cat (2).jpg", first["id"])
    assert Image.objects.count() == 2
    assert len(blobs(alice)) == 1


def test_same_bytes_in_another_folder_are_no_duplicate(alice_api, alice, holiday):
    upload(alice_api, holiday, [("cat.jpg", photos.photo())])

    answer = upload(alice_api, folders.create(alice, "Other"), [("cat.jpg", photos.photo())])

    assert answer.json()["items"][0]["duplicate_of"] is None
    assert Image.objects.count() == 2


def test_same_name_gets_a_number(alice_api, holiday):
    files = [("cat.jpg", photos.photo(n)) for n in range(3)]

    answer = upload(alice_api, holiday, files)

    assert [item["name"] for item in answer.json()["items"]] == ["cat.jpg", "cat (2).jpg", "cat (3).jpg"]


def test_quota(alice_api, alice, holiday):
    alice.quota_bytes = len(photos.photo(1)) + len(photos.photo(2))
    alice.save()

    answer = upload(alice_api, holiday, [(f"{n}.jpg", photos.photo(n)) for n in (1, 2, 3)])

    assert [item["name"] for item in answer.json()["items"]] == ["1.jpg", "2.jpg"]
    assert [row["code"] for row in answer.json()["rejected"]] == ["quota_exceeded"]
    assert len(blobs(alice)) == 2


def test_beyond_the_quota_files_are_counted_and_not_stored(alice_api, alice, holiday, monkeypatch):
    alice.quota_bytes = len(photos.photo(1)) + 1
    alice.save()
    most = 0
    write = storage.Staged.write

    def watched(staged, data):
        nonlocal most
        write(staged, data)
        staged._file and staged._file.flush()
        most = max(most, sum(path.stat().st_size for path in storage.incoming_dir().iterdir()))

    monkeypatch.setattr(storage.Staged, "write", watched)
    large = photos.photo(2) + b"\0" * 600_000

    answer = upload(
        alice_api, holiday, [("1.jpg", photos.photo(1)), *((f"{n}.jpg", large) for n in range(2, 6))]
    )

    rejected = answer.json()["rejected"]
    assert [item["name"] for item in answer.json()["items"]] == ["1.jpg"]
    assert [(row["name"], row["code"]) for row in rejected] == [
        (f"{n}.jpg", "quota_exceeded") for n in range(2, 6)
    ]
    assert "this file needs 0.6 MB more" in rejected[0]["message"]
    assert 0 < most <= alice.quota_bytes
    assert incoming() == []


def test_a_refused_file_leaves_its_room_to_the_next(alice_api, alice, holiday, settings):
    settings.MAX_IMAGE_BYTES = 300_000
    alice.quota_bytes = 350_000
    alice.save()

    answer = upload(alice_api, holiday, [("large.jpg", b"x" * 310_000), ("1.jpg", photos.photo(1))])

    assert [row["code"] for row in answer.json()["rejected"]] == ["too_large"]
    assert [item["name"] for item in answer.json()["items"]] == ["1.jpg"]


def test_full_disk_is_507_and_keeps_nothing(alice_api, alice, holiday, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("apps.drive.storage.os.fsync", full)

    answer = upload(alice_api, holiday, [("cat.jpg", photos.photo())])

    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "disk_full"
    assert Image.objects.count() == 0
    assert blobs(alice) == set()
    assert incoming() == []


def test_disk_that_fills_up_while_bytes_arrive(alice, holiday, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    staged = storage.Staged(1000)
    staged._file.close()
    staged._file = Full()

    staged.write(b"x")

    assert staged.error is not None
    assert staged.error.code == "disk_full"
    assert incoming() == []


def test_without_a_file(alice_api, holiday):
    body, content_type = photos.multipart([("cat.jpg", photos.photo())], field="file")

    answer = alice_api.generic("POST", f"/api/v1/folders/{holiday.pk}/images", body, content_type)

    assert answer.status_code == 422
    assert answer.json()["error"]["fields"] == {"files": ["At least one file is needed."]}
    assert incoming() == []


def test_too_many_files_in_one_request(alice_api, holiday, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2

    answer = upload(alice_api, holiday, [(f"{n}.jpg", photos.photo(n)) for n in range(3)])

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_many_files"
    assert Image.objects.count() == 0
    assert incoming() == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"garbage", "multipart/form-data; boundary=x", 422),
        (b"garbage", "multipart/form-data", 422),
        (b"{}", "application/json", 415),
    ],
)
def test_unreadable_bodies(alice_api, holiday, body, content_type, status):
    answer = alice_api.generic("POST", f"/api/v1/folders/{holiday.pk}/images", body, content_type)

    assert answer.status_code == status
    assert "error" in answer.json()
    assert incoming() == []


def test_a_file_that_the_body_breaks_off_in_is_not_kept(alice_api, holiday):
    body, content_type = photos.multipart([("one.jpg", photos.photo(1)), ("two.jpg", photos.photo(2))])

    answer = alice_api.generic("POST", f"/api/v1/folders/{holiday.pk}/images", body[:-700], content_type)

    assert answer.status_code == 201
    assert [item["name"] for item in answer.json()["items"]] == ["one.jpg"]
    assert incoming() == []


def test_a_browser_needs_the_csrf_header(alice, holiday):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    token = "a" * 32
    client.cookies["csrftoken"] = token

    without = upload(client, holiday, [("cat.jpg", photos.photo())])
    assert without.status_code == 403
    assert Image.objects.count() == 0

    answer = upload(client, holiday, [("cat.jpg", photos.photo())], headers={"X-CSRFToken": token})
    assert answer.status_code == 201


def test_folder_trashed_in_the_meantime(alice_api, alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    folders.trash(holiday)

    answer = upload(alice_api, inner, [("cat.jpg", photos.photo())])

    assert answer.status_code == 404
    assert Image.objects.count() == 0
