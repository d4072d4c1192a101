"""The owner's pages: what is on them, and that it costs the same at 10 photos as at 300."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from apps.drive import queries
from apps.drive.models import Attachment, Image
from apps.drive.services import folders, images, selection, shares
from tests.drive import photos


def queries_of(client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(url)
    assert answer.status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    "url",
    [
        "/drive/{0}/",
        "/drive/{0}/?q=photo&order=-created",
        "/drive/{0}/more/",
        "/drive/{0}/more/?q=photo&order=-bytes",
        "/drive/",
        "/drive/tree/",
        "/drive/trash/",
        "/api/v1/images?folder={0}",
        "/api/v1/images?folder={0}&q=photo&order=-bytes",
        "/api/v1/folders",
        "/api/v1/trash",
        "/s/{1}/",
    ],
)
def test_queries_do_not_grow_with_photos_and_folders(alice, alice_web, holiday, url):
    token = shares.create(holiday).token
    url = url.format(holiday.pk, token)
    photos.rows(alice, holiday, 10)
    trashed = photos.rows(alice, holiday, 2, start=5000)
    selection.trash(alice, selection.Selection(image_ids=[row.pk for row in trashed]))
    folders.create(alice, "one", holiday)
    alice_web.get(url)
    few = queries_of(alice_web, url)
    photos.rows(alice, holiday, 290, start=10)
    more = photos.rows(alice, holiday, 40, start=6000)
    selection.trash(alice, selection.Selection(image_ids=[row.pk for row in more]))
    for number in range(30):
        folders.create(alice, f"folder {number}", holiday if number % 2 else None)

    assert queries_of(alice_web, url) == few
    assert few <= 12


@pytest.mark.parametrize("order", queries.ORDERS)
def test_a_page_of_a_folder_uses_the_index_of_its_order(alice, holiday, order):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's planner scans small tables")
    photos.rows(alice, holiday, 300)
    cursor = queries.images_page(holiday, order=order).next

    with CaptureQueriesContext(connection) as captured:
        queries.images_page(holiday, cursor, order=order)
    with connection.cursor() as asked:
        asked.execute(f"EXPLAIN QUERY PLAN {captured[0]['sql']}")
        plan = " ".join(row[3] for row in asked.fetchall())

    assert "USING INDEX drive_image_folder_" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("order", queries.ORDERS)
def test_pages_of_every_order_hold_every_photo_once(alice, holiday, order):
    rows = photos.rows(alice, holiday, 130)
    for number, row in enumerate(rows):
        row.bytes = 1000 + number * 7919 % 40  # many have the same
        row.created = holiday.created + timedelta(seconds=number * 31 % 50)
    Image.objects.bulk_update(rows, ["bytes", "created"])

    found, cursor = [], None
    while not found or cursor:
        page = queries.images_page(holiday, cursor, 50, order=order)
        found += page.images
        cursor = page.next

    column = order.removeprefix("-")
    expected = sorted(rows, key=lambda row: (getattr(row, column), row.pk), reverse=order.startswith("-"))
    assert [image.pk for image in found] == [row.pk for row in expected]


def test_a_search_finds_parts_of_names_in_pages(alice, holiday):
    photos.rows(alice, holiday, 130)
    folders.create(alice, "photo-00", holiday)

    first = queries.images_page(holiday, q=" PHOTO-000 ")
    rest = queries.images_page(holiday, first.next, q=" PHOTO-000 ")

    names = [image.name for image in first.images + rest.images]
    assert names == [f"photo-000{number:02d}.jpg" for number in range(100)]
    assert (len(first.images), rest.next) == (60, None)
    assert queries.images_page(holiday, q="%").images == []
    assert queries.images_page(holiday, q="_").images == []


def test_search_and_order_are_in_the_address_and_stay_there(alice_web, alice, holiday):
    photos.rows(alice, holiday, 130)

    page = alice_web.get(f"/drive/{holiday.pk}/?q=photo-000&order=-bytes").content.decode()

    assert "100 of 130 photos with “photo-000” in the name" in page
    assert '<option value="-bytes" selected>' in page
    cursor = queries.images_page(holiday, q="photo-000", order="-bytes").next
    address = f"?q=photo-000&amp;order=-bytes&amp;cursor={cursor}"
    assert page.count(f'href="/drive/{holiday.pk}/{address}"') == 1
    assert page.count(f'hx-get="/drive/{holiday.pk}/more/{address}"') == 1
    more = alice_web.get(f"/drive/{holiday.pk}/more/{address}".replace("&amp;", "&")).content.decode()
    assert more.count('data-kind="image" data-id') == 40


def test_a_search_without_a_find_says_so(alice_web, alice, holiday):
    photos.rows(alice, holiday, 3)

    page = alice_web.get(f"/drive/{holiday.pk}/?q=<b>sea</b>").content.decode()

    assert "No photo here has “&lt;b&gt;sea&lt;/b&gt;” in its name." in page
    assert "Show all photos" in page
    assert "This folder is empty" not in page


@pytest.mark.parametrize("query", ["order=size", "order=", "q=%00", "order=-name"])
def test_an_order_that_the_page_does_not_know_is_by_name(alice_web, alice, holiday, query):
    photos.rows(alice, holiday, 3)

    page = alice_web.get(f"/drive/{holiday.pk}/?{query}")

    assert page.status_code == 200
    assert '<option value="name" selected>' in page.content.decode()


def test_pages_hold_every_photo_once_in_order(alice, holiday):
    photos.rows(alice, holiday, 130)
    Image.objects.filter(name="photo-00070.jpg").update(name="photo-00059.jpg.jpg")

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = queries.images_page(holiday, cursor)
        found += [image.name for image in page.images]
        cursor, pages = page.next, pages + 1

    assert pages == 3
    assert found == sorted(found)
    assert len(set(found)) == 130


def test_folder_page(alice_web, alice, holiday):
    inner = folders.create(alice, "Day <1>", holiday)
    image = photos.add(alice, holiday, "<b>cat</b>.jpg".replace("/", "_"))
    photos.add(alice, inner)

    page = alice_web.get(f"/drive/{holiday.pk}/").content.decode()

    assert escape("Day <1>") in page
    assert "<b>cat" not in page
    assert f"/drive/photo/{image.pk}/thumb" in page
    assert f"/drive/{inner.pk}/" in page
    assert f"?folder={holiday.pk}" in page
    assert "photos__more" not in page
    assert "onclick" not in page
    assert 'style="' not in page


def test_long_folder_is_lazy(alice_web, alice, holiday):
    photos.rows(alice, holiday, 100)

    page = alice_web.get(f"/drive/{holiday.pk}/").content.decode()

    assert page.count('data-kind="image" data-id') == 60
    cursor = queries.images_page(holiday).next
    assert f"/drive/{holiday.pk}/more/?cursor={cursor}" in page
    rest = alice_web.get(f"/drive/{holiday.pk}/more/?cursor={cursor}").content.decode()
    assert rest.count('data-kind="image" data-id') == 40
    assert "photos__more" not in rest
    assert (
        alice_web.get(f"/drive/{holiday.pk}/?cursor={cursor}")
        .content.decode()
        .count('data-kind="image" data-id')
        == 40
    )
    assert alice_web.get(f"/drive/{holiday.pk}/more/?cursor=nonsense").status_code == 404


@pytest.mark.parametrize("path", ["/drive/", "/drive/{0}/"])
def test_empty_pages_say_what_to_do(alice_web, alice, path):
    folder = folders.create(alice, "Empty") if "{0}" in path else None

    page = alice_web.get(path.format(folder.pk if folder else "")).content.decode()

    assert "Drop photos or folders anywhere on this page" in page


def test_photo_page_tells_how_it_was_taken(alice_web, alice, holiday):
    from tests.drive.test_metadata import with_place

    before = photos.add(alice, holiday, "a.jpg")
    image = images.add(alice, holiday, "b.jpg", io.BytesIO(with_place("jpeg")))
    after = photos.add(alice, holiday, "c.jpg")
    Attachment.objects.create(image=image, name="b.txt", media_type="text/plain", sha256="0" * 64, bytes=4)

    page = alice_web.get(f"/drive/photo/{image.pk}/").content.decode()

    assert "Camera maker" in page
    assert "2026-05-01 12:30" in page
    assert "1/200 s" in page
    assert "left out of shares and downloads" in page
    assert "b.txt" in page
    assert f'href="/drive/photo/{before.pk}/" rel="prev"' in page
    assert f'href="/drive/photo/{after.pk}/" rel="next"' in page


def test_photo_page_survives_lost_bytes(alice_web, alice, holiday):
    [image] = photos.rows(alice, holiday, 1)

    assert alice_web.get(f"/drive/photo/{image.pk}/").status_code == 200
    assert alice_web.get(f"/drive/photo/{image.pk}/thumb").status_code == 404


def test_tiff_is_shown_in_a_format_that_browsers_know(alice_web, alice, holiday):
    image = photos.add(alice, holiday, "scan.tif", format="tiff")

    page = alice_web.get(f"/drive/photo/{image.pk}/").content.decode()
    shown = alice_web.get(f"/drive/photo/{image.pk}/view")

    assert f"/drive/photo/{image.pk}/view" in page
    assert shown["Content-Type"] == "image/webp"


def test_thumbnails_of_the_trash_are_shown(alice_web, alice, holiday):
    image = photos.add(alice, holiday)
    images.trash(image)

    page = alice_web.get("/drive/trash/").content.decode()

    assert "cat.jpg" in page
    assert alice_web.get(f"/drive/photo/{image.pk}/thumb").status_code == 200
    assert alice_web.get(f"/drive/photo/{image.pk}/").status_code == 404


def test_tree_leaves_out_what_is_moved(alice_web, alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    folders.create(alice, "innermost", inner)
    folders.create(alice, "other")

    page = alice_web.get(f"/drive/tree/?not={holiday.pk}&top=1").content.decode()

    assert "other" in page
    assert "inner" not in page
    assert 'value=""' in page


def test_download_of_a_selection(alice_web, alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    photos.add(alice, inner, "in.jpg")
    chosen = photos.add(alice, holiday, "one.jpg")
    photos.add(alice, holiday, "two.jpg")

    some = alice_web.post("/drive/download/", {"folder": [inner.pk], "image": [chosen.pk]})
    whole = alice_web.post("/drive/download/", {"images_in": holiday.pk})

    names = [zipfile.ZipFile(io.BytesIO(b"".join(a.streaming_content))).namelist() for a in (some, whole)]
    assert names == [["inner/", "inner/in.jpg", "one.jpg"], ["one.jpg", "two.jpg"]]


def test_share_dialog(alice_web, holiday):
    made = alice_web.post(f"/drive/{holiday.pk}/shares/create/", {"expires_in": "604800"})
    share = holiday.shares.get()

    assert share.token in made.content.decode()
    assert (share.expires - share.created).days in {6, 7}
    assert alice_web.post(f"/drive/{holiday.pk}/shares/create/", {"expires_in": "5"}).status_code == 422
    assert holiday.shares.count() == 1
    gone = alice_web.post(f"/drive/shares/{share.pk}/revoke/").content.decode()
    assert share.token not in gone
    assert "No link to this folder yet" in gone
