"""Folders, photos, shares and the trash over REST, as their owner."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest
from PIL import Image as Pillow

from apps.drive import names, queries, storage
from apps.drive.models import Attachment, Folder, Image, ShareLink
from apps.drive.services import folders, ingest, selection, shares
from tests.drive import photos
from tests.drive.test_metadata import SECRET, with_place

API = "/api/v1/"


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


# --- Folders ---
def test_create_list_and_get(alice_api, alice):
    made = alice_api.post(API + "folders", {"name": " Holiday "}, format="json")
    inner = alice_api.post(API + "folders", {"name": "Day 1", "parent": made.json()["id"]}, format="json")

    assert made.status_code == inner.status_code == 201
    folder = Folder.objects.get(name="Day 1")
    assert inner.json() == {
        "id": folder.pk,
        "name": "Day 1",
        "parent": made.json()["id"],
        "path": "Holiday/Day 1",
        "image_count": 0,
        "created": folder.created.isoformat().replace("+00:00", "Z"),
    }
    assert alice_api.get(API + f"folders/{folder.pk}").json() == inner.json()
    listed = alice_api.get(API + "folders").json()
    assert ([row["path"] for row in listed["items"]], listed["next"], listed["count"]) == (
        ["Holiday", "Holiday/Day 1"],
        None,
        2,
    )
    below = alice_api.get(API + f"folders?parent={made.json()['id']}").json()
    assert [row["name"] for row in below["items"]] == ["Day 1"]
    assert [row["name"] for row in alice_api.get(API + "folders?parent=top").json()["items"]] == ["Holiday"]


def test_folder_list_is_paged(alice_api, alice):
    for name in "abcde":
        folders.create(alice, name)

    first = alice_api.get(API + "folders?page_size=2").json()
    second = alice_api.get(first["next"]).json()
    third = alice_api.get(second["next"]).json()

    names = [[row["name"] for row in page["items"]] for page in (first, second, third)]
    assert names == [["a", "b"], ["c", "d"], ["e"]]
    assert (first["count"], third["next"]) == (5, None)


@pytest.mark.parametrize("query", ["page_size=0", "page_size=201", "page_size=x", "cursor=-1", "cursor=²"])
def test_bad_paging(alice_api, query):
    answer = alice_api.get(API + "folders?" + query)

    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == [query.partition("=")[0]]


def test_name_taken(alice_api, alice, holiday):
    fail = alice_api.post(API + "folders", {"name": "Holiday"}, format="json")
    reuse = alice_api.post(API + "folders", {"name": "Holiday", "if_exists": "reuse"}, format="json")
    rename = alice_api.post(API + "folders", {"name": "Holiday", "if_exists": "rename"}, format="json")

    assert (fail.status_code, fail.json()["error"]["code"]) == (409, "name_taken")
    assert (reuse.status_code, reuse.json()["id"]) == (200, holiday.pk)
    assert (rename.status_code, rename.json()["name"]) == (201, "Holiday (2)")


@pytest.mark.parametrize(
    "sent", [{}, {"name": ""}, {"name": "a/b"}, {"name": "x" * 121}, {"name": "a\0"}, [], "x"]
)
def test_bad_folder(alice_api, sent):
    answer = alice_api.post(API + "folders", sent, format="json")

    assert answer.status_code == 422
    assert Folder.objects.count() == 0


def test_rename_and_move(alice_api, alice, holiday):
    other = folders.create(alice, "Other")

    answer = alice_api.patch(
        API + f"folders/{holiday.pk}", {"name": "Trip", "parent": other.pk}, format="json"
    )

    assert answer.status_code == 200
    assert answer.json()["path"] == "Other/Trip"
    back = alice_api.patch(API + f"folders/{holiday.pk}", {"parent": None}, format="json")
    assert back.json()["path"] == "Trip"


def test_move_into_itself(alice_api, alice, holiday):
    inner = folders.create(alice, "inner", holiday)

    answer = alice_api.patch(API + f"folders/{holiday.pk}", {"parent": inner.pk}, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "moved_into_itself")
    holiday.refresh_from_db()
    assert holiday.parent is None


def test_trashed_folder_is_gone_with_all_in_it(alice_api, alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    image = photos.add(alice, inner)

    assert alice_api.delete(API + f"folders/{holiday.pk}").status_code == 204

    for path in (
        f"folders/{holiday.pk}",
        f"folders/{inner.pk}",
        f"images/{image.pk}",
        f"images?folder={inner.pk}",
    ):
        assert alice_api.get(API + path).status_code == 404
    assert alice_api.get(API + "folders").json()["count"] == 0


# --- Photos ---
def test_image_list_is_paged_by_name(alice_api, alice, holiday):
    photos.rows(alice, holiday, 5)

    first = alice_api.get(API + f"images?folder={holiday.pk}&page_size=2").json()
    second = alice_api.get(first["next"]).json()
    third = alice_api.get(second["next"]).json()

    names = [row["name"] for page in (first, second, third) for row in page["items"]]
    assert names == [f"photo-{n:05d}.jpg" for n in range(5)]
    assert (first["count"], third["next"]) == (5, None)


def test_image_list_is_searched_and_ordered(alice_api, alice, holiday):
    rows = photos.rows(alice, holiday, 5)
    for row, size in zip(rows, (30, 10, 50, 20, 40), strict=True):
        Image.objects.filter(pk=row.pk).update(bytes=size)
    Image.objects.filter(pk=rows[1].pk).update(name="Sea.jpg")

    largest = alice_api.get(API + f"images?folder={holiday.pk}&q=photo&order=-bytes&page_size=2").json()
    rest = alice_api.get(largest["next"]).json()

    assert [row["bytes"] for row in largest["items"] + rest["items"]] == [50, 40, 30, 20]
    assert (largest["count"], rest["count"], rest["next"]) == (4, 4, None)
    found = alice_api.get(API + f"images?folder={holiday.pk}&q=SEA").json()
    assert [row["name"] for row in found["items"]] == ["Sea.jpg"]
    assert alice_api.get(API + f"images?folder={holiday.pk}&q=none").json()["count"] == 0


def test_a_cursor_of_another_order_is_none_of_ours(alice_api, alice, holiday):
    photos.rows(alice, holiday, 5)
    for order in ("name", "-bytes", "created"):
        first = alice_api.get(API + f"images?folder={holiday.pk}&order={order}&page_size=2").json()
        for other in {"-bytes", "bytes", "created"} - {order}:
            moved = alice_api.get(first["next"].replace(f"order={order}", f"order={other}"))
            assert (moved.status_code, list(moved.json()["error"]["fields"])) == (422, ["cursor"])


def _cursor(*place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("bytes", "10"),
        ("bytes", -1),
        ("bytes", 1 << 70),
        ("bytes", None),
        ("created", 5),
        ("created", "yesterday"),
        ("created", "2024-01-01T00:00:00"),
        ("created", "0001-01-01T00:00:00+23:59"),
        ("name", 5),
        ("name", "a\0"),
    ],
)
def test_a_cursor_with_a_value_of_the_wrong_kind_is_none_of_ours(alice_api, holiday, order, value):
    place = (value, "x") if order == "name" else (value, "x", order)

    answer = alice_api.get(API + f"images?folder={holiday.pk}&order={order}&cursor={_cursor(*place)}")

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["cursor"])


@pytest.mark.parametrize(
    "query",
    ["", "folder=", "folder=nope", "folder={0}&cursor=x", "folder={0}&cursor=W10", "folder={0}&order=size"],
)
def test_bad_image_list(alice_api, holiday, query):
    answer = alice_api.get(API + "images?" + query.format(holiday.pk))

    assert answer.status_code == (404 if query in {"folder=", "folder=nope"} else 422)


@pytest.mark.parametrize("text", ["[" * 2900, "[" * 200_000, "[" * 100 + "]" * 100])
def test_nested_cursor_is_none_of_ours(alice_api, holiday, text):
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    answer = alice_api.get(API + f"images?folder={holiday.pk}&cursor={cursor}")

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["cursor"])


def test_cursor_of_the_longest_name_is_ours(alice, holiday):
    image = Image(name="\U0001f4f7" * names.IMAGE_CHARS, pk="0" * 22)

    assert queries.decode_cursor(queries.encode_cursor(image)) == (image.name, image.pk)


def test_rename_and_move_a_photo(alice_api, alice, holiday):
    other = folders.create(alice, "Other")
    image = photos.add(alice, holiday)
    photos.add(alice, other, "taken.jpg")

    taken = alice_api.patch(
        API + f"images/{image.pk}", {"name": "taken.jpg", "folder": other.pk}, format="json"
    )
    moved = alice_api.patch(
        API + f"images/{image.pk}", {"name": "new.jpg", "folder": other.pk}, format="json"
    )

    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "name_taken")
    assert moved.status_code == 200
    assert (moved.json()["name"], moved.json()["folder"]) == ("new.jpg", other.pk)


def test_content_is_what_was_uploaded_and_cached_for_good(alice_api, alice, holiday):
    image = photos.add(alice, holiday, "süß.jpg")

    answer = alice_api.get(API + f"images/{image.pk}/content")

    assert body(answer) == storage.blob_path(alice.pk, image.sha256).read_bytes()
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["ETag"] == f'"{image.sha256}"'
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == "inline; filename*=utf-8''s%C3%BC%C3%9F.jpg"
    again = alice_api.get(API + f"images/{image.pk}/content", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=1-2,4-5", 200, slice(None)),
        ("bytes=" + "9" * 18 + "-", 416, slice(0, 0)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(None)),
        ("bytes=-" + "9" * 5000, 200, slice(None)),
    ],
)
def test_ranges(alice_api, alice, holiday, asked, status, part):
    image = photos.add(alice, holiday)
    data = storage.blob_path(alice.pk, image.sha256).read_bytes()

    answer = alice_api.get(API + f"images/{image.pk}/content", headers={"Range": asked})

    assert (answer.status_code, body(answer)) == (status, data[part])


def test_downloads_leave_out_the_place_unless_asked(alice_api, alice, holiday):
    from apps.drive.services import images

    data = with_place("jpeg")
    image = images.add(alice, holiday, "cat.jpg", io.BytesIO(data))
    url = API + f"images/{image.pk}/content"

    assert body(alice_api.get(url)) == data
    stripped = alice_api.get(url + "?download=true")
    assert SECRET.encode() not in body(stripped)
    assert stripped["Content-Disposition"] == 'attachment; filename="cat.jpg"'
    assert body(alice_api.get(url + "?download=true&location=keep")) == data
    assert SECRET.encode() not in body(alice_api.get(url + "?location=strip"))


def test_thumbnail_is_made_again_when_missing(alice_api, alice, holiday):
    image = photos.add(alice, holiday, width=640, height=400)
    storage.thumb_path(alice.pk, image.sha256).unlink()

    answer = alice_api.get(API + f"images/{image.pk}/thumbnail")

    with Pillow.open(io.BytesIO(body(answer))) as thumb:
        assert (thumb.format, thumb.size) == ("WEBP", (320, 200))
    assert storage.thumb_path(alice.pk, image.sha256).exists()


@pytest.mark.parametrize("what", ["content", "thumbnail"])
def test_lost_bytes_are_404(alice_api, alice, holiday, what):
    image = photos.add(alice, holiday)
    storage.blob_path(alice.pk, image.sha256).unlink()
    storage.thumb_path(alice.pk, image.sha256).unlink()

    assert alice_api.get(API + f"images/{image.pk}/{what}").status_code == 404


def test_attachments_are_downloads_in_a_sandbox(alice_api, alice, holiday):
    image = photos.add(alice, holiday)
    page = b"<script>alert(1)</script>"
    storage.blob_path(alice.pk, "b" * 64).write_bytes(page)
    file = Attachment.objects.create(
        image=image, name="cat.html", media_type="text/html", sha256="b" * 64, bytes=len(page)
    )

    detail = alice_api.get(API + f"images/{image.pk}").json()
    answer = alice_api.get(API + f"images/{image.pk}/attachments/{file.pk}")

    assert detail["attachments"] == [
        {"id": file.pk, "name": "cat.html", "media_type": "text/html", "bytes": len(page)}
    ]
    assert body(answer) == page
    assert answer["Content-Disposition"] == 'attachment; filename="cat.html"'
    assert answer["Content-Security-Policy"].startswith("sandbox")


# --- Zip ---
def test_archive_holds_everything_below_without_places(alice_api, alice, holiday, tmp_path):
    from apps.drive.services import images

    inner = folders.create(alice, "Day: 1?", holiday)
    folders.create(alice, "empty", holiday)
    gone = folders.create(alice, "gone", holiday)
    photos.add(alice, gone)
    folders.trash(gone)
    images.add(alice, holiday, "place.jpg", io.BytesIO(with_place("jpeg")))
    for name in ("Cat.jpg", "cat.jpg", "con2.jpg"):
        photos.add(alice, inner, name)
    with_text = photos.add(alice, inner, "art.png", format="png")
    storage.blob_path(alice.pk, "c" * 64).write_bytes(b"art as text")
    Attachment.objects.create(
        image=with_text, name="art.txt", media_type="text/plain", sha256="c" * 64, bytes=11
    )

    answer = alice_api.get(API + f"folders/{holiday.pk}/archive")
    found = zipfile.ZipFile(io.BytesIO(body(answer)))

    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="Holiday.zip"'
    assert found.testzip() is None
    assert sorted(found.namelist()) == [
        "Day_ 1_/",
        "Day_ 1_/Cat.jpg",
        "Day_ 1_/art.png",
        "Day_ 1_/art.txt",
        "Day_ 1_/cat (2).jpg",
        "Day_ 1_/con2.jpg",
        "empty/",
        "place.jpg",
    ]
    assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
    assert found.read("Day_ 1_/art.txt") == b"art as text"
    assert SECRET.encode() not in found.read("place.jpg")
    kept = zipfile.ZipFile(
        io.BytesIO(body(alice_api.get(API + f"folders/{holiday.pk}/archive?location=keep")))
    )
    assert kept.read("place.jpg") == with_place("jpeg")


def test_archive_names_what_is_missing(alice_api, alice, holiday):
    photos.add(alice, holiday, "there.jpg")
    lost = photos.add(alice, holiday, "lost.jpg")
    storage.blob_path(alice.pk, lost.sha256).unlink()

    found = zipfile.ZipFile(io.BytesIO(body(alice_api.get(API + f"folders/{holiday.pk}/archive"))))

    assert sorted(found.namelist()) == ["_missing.txt", "there.jpg"]
    assert b"lost.jpg" in found.read("_missing.txt")


# --- Shares ---
def test_share_and_revoke(alice_api, alice, holiday, settings):
    settings.BASE_URL = "https://photos.example.org"

    made = alice_api.post(API + f"folders/{holiday.pk}/share", {"expires_in": 3600}, format="json")

    assert made.status_code == 201
    share = ShareLink.objects.get()
    assert made.json()["url"] == f"https://photos.example.org/s/{share.token}/"
    assert len(share.token) == 43
    assert (share.expires - share.created).total_seconds() == pytest.approx(3600, abs=1)
    assert [row["id"] for row in alice_api.get(API + "shares").json()["items"]] == [share.pk]
    assert alice_api.delete(API + f"shares/{share.pk}").status_code == 204
    assert alice_api.get(API + "shares").json()["items"] == []
    assert alice_api.delete(API + f"shares/{share.pk}").status_code == 204


@pytest.mark.parametrize("seconds", [0, 59, -1, 10**12, "soon"])
def test_bad_expiry(alice_api, holiday, seconds):
    answer = alice_api.post(API + f"folders/{holiday.pk}/share", {"expires_in": seconds}, format="json")

    assert answer.status_code == 422
    assert ShareLink.objects.count() == 0


def test_share_without_a_body_works_until_revoked(alice_api, holiday):
    assert alice_api.post(API + f"folders/{holiday.pk}/share").json()["expires"] is None


def test_a_folder_has_a_limited_number_of_shares(alice_api, holiday, monkeypatch):
    monkeypatch.setattr(shares, "MOST_PER_FOLDER", 1)
    alice_api.post(API + f"folders/{holiday.pk}/share")

    answer = alice_api.post(API + f"folders/{holiday.pk}/share")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_shares")


# --- Trash and selections ---
def test_trash_list_restore_and_empty(alice_api, alice, holiday, settings):
    settings.TRASH_DAYS = 30
    image = photos.add(alice, holiday)
    other = folders.create(alice, "Other")

    moved = alice_api.post(API + "trash", {"folders": [other.pk], "images": [image.pk]}, format="json")
    listed = alice_api.get(API + "trash").json()
    back = alice_api.post(API + "trash/restore", {"images": [image.pk]}, format="json")
    emptied = alice_api.delete(API + "trash")

    assert moved.json() == {"folders": [other.pk], "images": [image.pk]}
    assert {(row["kind"], row["id"], row["was_in"]) for row in listed["items"]} == {
        ("folder", other.pk, "Drive"),
        ("image", image.pk, "Holiday"),
    }
    assert listed["count"] == 2
    assert back.json() == {"folders": [], "images": [image.pk]}
    assert emptied.json() == {"count": 1}
    assert list(Folder.objects.all()) == [holiday]
    assert Image.objects.get().trashed_at is None


def test_delete_for_good_only_from_the_trash(alice_api, alice, holiday):
    living = photos.add(alice, holiday)
    trashed = photos.add(alice, holiday, "old.jpg")
    selection.trash(alice, selection.Selection(image_ids=[trashed.pk]))

    answer = alice_api.post(API + "trash/delete", {"images": [living.pk, trashed.pk]}, format="json")

    assert answer.json() == {"count": 1}
    assert list(Image.objects.all()) == [living]


def test_move_a_selection(alice_api, alice, holiday):
    other = folders.create(alice, "Other")
    inner = folders.create(alice, "inner", holiday)
    photos.rows(alice, holiday, 3)

    answer = alice_api.post(
        API + "move", {"folders": [inner.pk], "images_in": holiday.pk, "to": other.pk}, format="json"
    )

    assert answer.json() == {"count": 4}
    assert other.images.count() == 3
    assert other.children.get() == inner


def test_results_of_jobs_show_up(alice_api, alice, holiday, tmp_path):
    data = photos.photo(format="png")
    path = tmp_path / "out.png"
    path.write_bytes(data)
    item = ingest.Adopted(path, "cat.png", "d" * 64, "png", len(data), 64, 48, "job:x:y")

    ingest.adopt(alice.pk, holiday, [item])

    assert [row["name"] for row in alice_api.get(API + f"images?folder={holiday.pk}").json()["items"]] == [
        "cat.png"
    ]
