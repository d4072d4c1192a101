"""Previews: what is sent to a preview server, what comes back, and what is refused before."""

from __future__ import annotations

import io
import json
import logging

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Pillow

from apps.drive.models import Image
from apps.drive.storage import blob_path, incoming_dir
from apps.processing.negotiation import preferred
from apps.processing.services import previews
from marketplace import logs
from marketplace.api import ApiError, too_many

PNG = {"Content-Type": "image/png", "Server-Timing": "a;dur=1"}
URL = "/api/v1/apps/{}/preview"


@pytest.fixture
def server(monkeypatch):
    """The preview servers, as `send_preview` shows them: remembers what it was asked."""

    class Server:
        answer = httpx.Response(200, content=b"PNG", headers=PNG)
        error: ApiError | None = None
        asked: list[tuple] = []
        families: list[str] = []

        def send(self, processor, fields, files, accept, timeout, family):
            self.families.append(family)
            self.asked.append((processor, dict(fields), dict(files), accept, timeout))
            if self.error:
                raise self.error
            return self.answer

    server = Server()
    server.asked, server.families = [], []
    monkeypatch.setattr(previews, "send_preview", server.send)
    return server


def jpeg(width: int = 8, height: int = 6) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


def upload(data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", jpeg() if data is None else data, "image/jpeg")


def error(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_an_uploaded_photo(alice_api, server, settings):
    data = {"file": upload(), "params": '{"mode": "otsu"}'}
    response = alice_api.post(URL.format("bw"), data, format="multipart")
    assert (response.status_code, response.content) == (200, b"PNG")
    assert (response["Content-Type"], response["Server-Timing"]) == ("image/png", "a;dur=1")
    [(processor, fields, files, accept, timeout)] = server.asked
    assert (processor, accept, timeout) == ("bw", "image/*", settings.PREVIEW_SECONDS)
    assert files == {"file": ("photo", jpeg(), "image/jpeg")}
    assert json.loads(fields["params"]) == {"mode": "otsu", "contrast": 0, "tile_folder": None}
    assert list(incoming_dir().iterdir()) == []


def test_a_photo_of_the_drive_is_named_not_sent(alice, alice_api, photos, server):
    image = photos(alice, 1).images.get()
    response = alice_api.post(URL.format("bw"), {"image": image.id}, format="json")
    assert response.status_code == 200
    [(_, fields, files, _, _)] = server.asked
    assert fields["path"] == f"{alice.id}/{image.sha256}"
    assert files == {}


def test_a_photo_of_the_drive_is_sent_to_pods_which_do_not_see_it(alice, alice_api, photos, server, settings):
    settings.ENGINE = "kubernetes"
    image = photos(alice, 1).images.get()
    path = blob_path(alice.id, image.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg())

    response = alice_api.post(URL.format("bw"), {"image": image.id}, format="json")

    assert response.status_code == 200
    [(_, fields, files, _, _)] = server.asked
    assert "path" not in fields
    assert files == {"file": ("photo", jpeg(), f"image/{image.format}")}


def test_servers_are_asked_for_by_the_family_of_the_app(alice_api, server, apps):
    known = json.loads(apps.read_text())
    known["processors"][0]["package"] = "filters"
    apps.write_text(json.dumps(known))

    alice_api.post(URL.format("bw"), {"file": upload()}, format="multipart")

    assert server.families == ["filters"]


def test_servers_that_wake_up_are_told_with_a_time_and_are_no_error_in_the_log(alice_api, server, rf):
    server.error = ApiError(503, "waking_up", "They were asleep and are waking up.", retry_after=2)

    response = alice_api.post(URL.format("bw"), {"file": upload()}, format="multipart")

    assert (error(response), response["Retry-After"]) == ((503, "waking_up"), "2")
    record = logging.LogRecord("django.request", logging.ERROR, "", 1, "Service Unavailable", None, None)
    record.request, record.status_code = response.wsgi_request, 503
    assert logs.NotReadyz().filter(record) is False
    record.request = rf.get(URL.format("bw"))
    assert logs.NotReadyz().filter(record) is True


def test_folders_in_options_become_files(alice, alice_api, photos, server):
    tiles = photos(alice, 2, "Tiles")
    image = photos(alice, 1).images.get()
    body = {"image": image.id, "params": {"tile_folder": tiles.id}}
    assert alice_api.post(URL.format("bw"), body, format="json").status_code == 200
    hashes = sorted(tiles.images.values_list("sha256", flat=True))
    assert json.loads(server.asked[0][1]["assets"]) == {"tile_folder": [f"{alice.id}/{h}" for h in hashes]}


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        ("", "image/*"),
        ("*/*", "image/*"),
        ("image/webp,image/*;q=0.8", "image/*"),
        ("application/json", "application/json"),
        ("text/plain;q=0.5, application/json;q=0.9", "application/json"),
        ("text/*", "text/plain"),
    ],
)
def test_accept_decides_what_comes_back(alice, alice_api, photos, server, accept, sent):
    image = photos(alice, 1).images.get()
    alice_api.post(URL.format("ascii"), {"image": image.id}, format="json", headers={"Accept": accept})
    assert server.asked[0][3] == sent


@pytest.mark.parametrize("accept", ["text/html", "application/pdf", "image/*;q=0, application/json;q=0"])
def test_what_the_app_cant_make_is_refused(alice_api, server, accept):
    response = alice_api.post(URL.format("ascii"), {"file": upload()}, headers={"Accept": accept})
    assert error(response) == (406, "not_acceptable")
    assert server.asked == []


def test_html_comes_back_harmless(alice_api, server, apps):
    server.answer = httpx.Response(200, content=b"<p>", headers={"Content-Type": "text/html; charset=utf-8"})
    response = alice_api.post(URL.format("bw"), {"file": upload()})
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ({}, 422, "invalid"),
        ({"image": "none"}, 404, "not_found"),
        ({"image": "x" * 30}, 422, "invalid"),
        ({"file": b"", "params": "{}"}, 422, "empty"),
        ({"file": b"GIF89a"}, 422, "unsupported_type"),
        ({"file": jpeg()[:-40]}, 422, "truncated"),
        ({"file": jpeg(40, 40)}, 413, "too_many_pixels"),
        ({"file": jpeg(), "params": "{"}, 422, "invalid"),
        ({"file": jpeg(), "params": "[]"}, 422, "invalid"),
        ({"file": jpeg(), "params": '{"contrast": 1e999}'}, 422, "invalid"),
        ({"file": jpeg(), "params": '{"contrast": NaN}'}, 422, "invalid"),
        ({"file": jpeg(), "params": '{"mode": "sepia"}'}, 422, "invalid"),
        ({"file": jpeg(), "image": "also"}, 422, "invalid"),
    ],
)
def test_refused_before_anything_is_asked(alice_api, server, settings, data, status, code):
    settings.MAX_IMAGE_PIXELS = 1000
    if isinstance(data.get("file"), bytes):
        data = data | {"file": upload(data["file"])}
    response = alice_api.post(URL.format("bw"), data, format="multipart")
    assert error(response) == (status, code)
    assert server.asked == []
    assert not incoming_dir().exists() or list(incoming_dir().iterdir()) == []


def test_a_file_over_the_limit(alice_api, server, settings):
    settings.MAX_IMAGE_BYTES = 100
    response = alice_api.post(URL.format("bw"), {"file": upload()})
    assert error(response) == (413, "too_large")


def test_anothers_photo_and_unknown_apps_are_not_there(alice, bob_api, charlie_api, photos, server):
    image = photos(alice, 1).images.get()
    assert error(bob_api.post(URL.format("bw"), {"image": image.id}, format="json")) == (404, "not_found")
    assert error(bob_api.post(URL.format("none"), {"file": upload()})) == (404, "not_found")
    assert error(charlie_api.post(URL.format("bw"), {"image": image.id}, format="json")) == (
        401,
        "not_authenticated",
    )
    assert server.asked == []
    assert Image.objects.count() == 1


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, {"error": {"code": "truncated", "message": "Cut.", "fields": {}}}, (422, "truncated")),
        (413, {"error": {"code": "too_large", "message": "Big.", "fields": {}}}, (413, "too_large")),
        (404, {"error": {"code": "missing", "message": "Gone.", "fields": {}}}, (422, "missing")),
        (500, {"error": {"code": "app_error", "message": "Oh.", "fields": {}}}, (502, "preview_failed")),
        (422, "junk", (502, "preview_failed")),
        (401, {}, (502, "preview_failed")),
    ],
)
def test_the_servers_refusals_are_handed_on(alice_api, server, status, body, expected):
    server.answer = httpx.Response(status, json=body)
    assert error(alice_api.post(URL.format("bw"), {"file": upload()})) == expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (too_many("Busy."), (429, "too_many")),
        (ApiError(503, "no_preview_server", "None."), (503, "no_preview_server")),
        (ApiError(504, "preview_timeout", "Slow."), (504, "preview_timeout")),
    ],
)
def test_trouble_with_the_servers(alice_api, server, raised, expected):
    server.error = raised
    assert error(alice_api.post(URL.format("bw"), {"file": upload()})) == expected


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", "image/*"),
        ("text/plain", "text/plain"),
        ("image/png", "image/*"),
        ("text/plain;q=0, */*", "image/*"),
        ("*/*;q=0.1, text/plain;q=x", "image/*"),
        ("video/mp4", None),
        (",,;", None),
    ],
)
def test_negotiation(header, chosen):
    assert preferred(header, ["image/*", "text/plain"]) == chosen
