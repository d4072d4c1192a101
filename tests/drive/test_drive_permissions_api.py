"""Every route for bob and charlie: 404 and 401, and nothing changes."""

from __future__ import annotations

import pytest
from django.urls import URLPattern

from apps.drive import api_urls, urls
from apps.drive.models import Attachment, Folder, Image, ShareLink
from apps.drive.services import folders, selection, shares
from tests.drive import photos


@pytest.fixture
def things(alice):
    holiday = folders.create(alice, "Holiday")
    image = photos.add(alice, holiday)
    trashed = photos.add(alice, holiday, "old.jpg")
    selection.trash(alice, selection.Selection(image_ids=[trashed.pk]))
    file = Attachment.objects.create(
        image=image, name="a.txt", media_type="text/plain", sha256=image.sha256, bytes=1
    )
    return {
        "folder_id": holiday.pk,
        "image_id": image.pk,
        "attachment_id": file.pk,
        "share_id": shares.create(holiday).pk,
        "trashed": trashed.pk,
    }


def everything() -> list:
    return [list(model.objects.order_by("pk").values()) for model in (Folder, Image, Attachment, ShareLink)]


# (method, path, body): routes that name an object, and those that name one in their body
OBJECTS = [
    ("get", "folders/{folder_id}", None),
    ("patch", "folders/{folder_id}", {"name": "mine"}),
    ("delete", "folders/{folder_id}", None),
    ("get", "folders/{folder_id}/archive", None),
    ("post", "folders/{folder_id}/images", None),
    ("post", "folders/{folder_id}/share", {}),
    ("get", "images/{image_id}", None),
    ("patch", "images/{image_id}", {"name": "mine.jpg"}),
    ("delete", "images/{image_id}", None),
    ("get", "images/{image_id}/content", None),
    ("get", "images/{image_id}/thumbnail", None),
    ("get", "images/{image_id}/attachments/{attachment_id}", None),
    ("delete", "shares/{share_id}", None),
    ("get", "images?folder={folder_id}", None),
    ("get", "folders?parent={folder_id}", None),
    ("get", "shares?folder={folder_id}", None),
    ("post", "folders", {"name": "x", "parent": "{folder_id}"}),
    ("post", "trash", {"images_in": "{folder_id}"}),
    ("post", "move", {"images": [], "to": "{folder_id}"}),
]
# Lists and verbs over ids: they answer, about one's own things alone.
OWN = [
    ("get", "folders", None),
    ("get", "shares", None),
    ("get", "trash", None),
    ("delete", "trash", None),
    ("post", "trash", {"folders": ["{folder_id}"], "images": ["{image_id}"]}),
    ("post", "trash/restore", {"images": ["{trashed}"]}),
    ("post", "trash/delete", {"images": ["{trashed}"]}),
    ("post", "move", {"folders": ["{folder_id}"], "images": ["{image_id}"], "to": None}),
]


def fill(value, things):
    if isinstance(value, str):
        return value.format(**things)
    if isinstance(value, list):
        return [fill(part, things) for part in value]
    if isinstance(value, dict):
        return {key: fill(part, things) for key, part in value.items()}
    return value


def call(client, case, things):
    method, path, body = case
    url = "/api/v1/" + fill(path, things)
    if path.endswith("/images"):
        data, content_type = photos.multipart([("evil.jpg", photos.photo())])
        return client.generic("POST", url, data, content_type)
    return (
        getattr(client, method)(url, fill(body, things), format="json")
        if body is not None
        else getattr(client, method)(url)
    )


def test_every_route_is_tried():
    def shape(text: str) -> str:
        return text.partition("?")[0].replace("<str:", "{").replace("<int:", "{").replace(">", "}")

    routes = {shape(str(route.pattern)) for route in api_urls.urlpatterns if isinstance(route, URLPattern)}

    assert routes - {"images", "folders", "shares"} == (
        {shape(path) for _, path, _ in OBJECTS + OWN} - {"images", "folders", "shares"}
    )


@pytest.mark.parametrize("case", OBJECTS, ids=lambda case: f"{case[0]} {case[1]}")
def test_others_things_are_not_there(bob_api, things, case):
    before = everything()

    answer = call(bob_api, case, things)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert everything() == before


@pytest.mark.parametrize("case", OBJECTS + OWN, ids=lambda case: f"{case[0]} {case[1]}")
def test_logged_out(charlie_api, things, case):
    before = everything()

    answer = call(charlie_api, case, things)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert everything() == before


@pytest.mark.parametrize("case", OWN, ids=lambda case: f"{case[0]} {case[1]}")
def test_lists_and_bulk_verbs_pass_over_others_things(bob_api, things, case):
    before = everything()

    answer = call(bob_api, case, things)

    assert answer.status_code == 200
    assert everything() == before
    for value in answer.json().values():
        assert value in ([], 0, None)


@pytest.mark.parametrize(
    "case", [case for case in OBJECTS if "{" in case[1]], ids=lambda case: f"{case[0]} {case[1]}"
)
@pytest.mark.parametrize("odd", ["%00", "%ff", "..", "x" * 100])
def test_odd_ids_are_not_found(alice_api, things, case, odd):
    answer = call(alice_api, case, dict.fromkeys(things, odd) | {"attachment_id": 1 << 70})

    assert answer.status_code in {404, 405}


PAGES = [route for route in urls.urlpatterns if route.name != "drive"]


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
def test_pages_of_others(bob_web, charlie_web, things, route):
    before = everything()
    path = "/drive/" + str(route.pattern).replace("<str:", "{").replace(">", "}").format(**things)
    method = "post" if route.name in {"drive-download", "drive-share-create", "drive-share-revoke"} else "get"
    sent = {"image": things["image_id"], "folder": "", "expires_in": "0"} if method == "post" else {}

    own = route.name in {"drive-trash", "drive-tree", "drive-download"}
    answer = getattr(bob_web, method)(path, sent)
    assert answer.status_code == (200 if own else 404)
    if own:
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert things["image_id"].encode() not in content
        assert b"cat.jpg" not in content

    answer = getattr(charlie_web, method)(path, sent)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/login/")
    assert everything() == before
