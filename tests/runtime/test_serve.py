"""The preview server: a real one, asked over HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import jobfolder
from model_images.runtime.negotiation import choose
from tests.runtime import pictures
from tests.runtime.conftest import APPS, Jobs, until
from tests.runtime.test_node import descendants, parents

TOKEN = "a-token-of-the-tests"
PHOTO = pictures.png()


class Server:
    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        values = {"EXTRA_PROCESSORS": APPS, "RUNTIME_TOKEN": TOKEN, "PREVIEW_SECONDS": "2"} | environment
        command = ["serve", "--node", "node-1", "--data", str(data_dir), *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "model_images.runtime", *command],
            env=os.environ | values,
            stderr=subprocess.PIPE,
        )

    def client(self) -> httpx.Client:
        """A client of the server, once its heartbeat is there."""
        (beat,) = until(
            lambda: self.process.poll() is None and jobfolder.read_endpoints(self.data_dir), "beat"
        )
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=beat.url, trust_env=False, headers=headers, timeout=30)

    def end(self) -> str:
        self.process.kill()
        return self.process.communicate()[1].decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"), "--slots", "2", MAX_IMAGE_BYTES="300000")
    yield server
    server.end()


@pytest.fixture(scope="module")
def client(server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def ask(client, act="invert", accept="image/*", photo: bytes | None = PHOTO, name="trial", **fields):
    params = fields.pop("params", {"act": act})
    files = {"params": (None, params if isinstance(params, str) else json.dumps(params))}
    if photo is not None:
        files["file"] = ("photo.png", photo, "image/png")
    files |= {key: (None, value) for key, value in fields.items()}
    return client.post(f"/{name}", files=files, headers={"Accept": accept})


def refusal(answer) -> tuple[int, str]:
    body = answer.json()
    assert sorted(body) == ["error"]
    assert sorted(body["error"]) == ["code", "fields", "message"]
    return answer.status_code, body["error"]["code"]


# --- Answers ----------------------------------------------------------------------------------------


def test_image(client):
    answer = ask(client)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), 255 - pictures.gradient())
    steps = [part.split(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert steps == ["read", "process", "encode"]


def test_text_html_and_json(client):
    text, html = (ask(client, "text", kind) for kind in ("text/plain", "text/html"))
    everything = ask(client, "text", "application/json").json()

    assert (text.headers["content-type"], text.text) == ("text/plain; charset=utf-8", "text")
    assert (html.headers["content-type"], html.text) == ("text/html; charset=utf-8", "<p>html</p>")
    assert (everything["text"], everything["html"]) == ("text", "<p>html</p>")
    assert everything["data"]["mean"] > 0
    assert (everything["image"]["content_type"], everything["image"]["width"]) == ("image/png", 64)
    assert base64.b64decode(everything["image"]["base64"]).startswith(b"\x89PNG")
    assert set(everything["timings"]) == {"read_ms", "process_ms", "encode_ms"}


@pytest.mark.parametrize("name", ["blackwhite", "ascii", "pixelart", "mosaic"])
def test_every_filter_answers_with_its_defaults(client, name):
    photo = pictures.jpeg(pictures.gradient(320, 240))

    assert ask(client, name=name, params={}, photo=photo).status_code == 200


def test_an_app_is_told_which_output_will_be_seen(client):
    """ASCII art as text takes no time for a picture: there is none to encode."""
    params = {"columns": 20}
    text = ask(client, name="ascii", params=params, accept="text/plain")
    everything = ask(client, name="ascii", params=params, accept="application/json").json()

    assert text.text == everything["text"]
    assert everything["image"]["width"] == 160 and everything["html"]
    assert ask(client, name="ascii", params=params, accept="image/png").headers["content-type"] == "image/png"


def test_value_of_fit_is_made_from_the_photo_itself(client):
    answer = ask(client, name="fitted", params={}, accept="application/json").json()

    assert answer["data"]["shared"]["count"] == 1
    assert "fit_ms" in answer["timings"]


def test_photo_and_assets_from_the_drive(client, server):
    jobs = Jobs(server.data_dir)
    mine = jobs.photo(PHOTO)
    tiles = [jobs.photo(pictures.png(pictures.noise())) for _ in range(3)]

    answer = ask(client, photo=None, path=f"7/{mine}")
    with_assets = ask(
        client, photo=None, path=f"7/{mine}", name="fitted", params={}, accept="application/json",
        assets=json.dumps({"tiles": [f"7/{tile}" for tile in tiles]}),
    )  # fmt: skip

    form = {"params": json.dumps({"act": "invert"}), "path": f"7/{mine}"}
    as_form = client.post("/trial", data=form, headers={"Accept": "image/*"})

    assert answer.status_code == 200
    assert with_assets.json()["data"]["assets"] == {"tiles": tiles}
    assert (as_form.status_code, as_form.content) == (200, answer.content)


def test_preview_of_one_owner_cannot_read_another_ones_files(client, server):
    jobs = Jobs(server.data_dir)
    theirs = server.data_dir / "drive" / "8" / jobs.photo(b"another owner's", owner="8")
    tile = jobs.photo(PHOTO)
    params = {"act": "escape", "path": str(theirs)}
    assets = json.dumps({"tiles": [f"7/{tile}"]})

    plain = ask(client, params=params, accept="application/json").json()["data"]
    with_assets = ask(client, params=params, accept="application/json", assets=assets).json()["data"]

    assert plain == with_assets
    assert plain["socket"] == plain["exec"] == plain["fork"] == "PermissionError"
    assert plain["read"] == "PermissionError"


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (b"", (422, "empty")),
        (b"GIF89a", (422, "unsupported_type")),
        (PHOTO[:60], (422, "truncated")),
        (pictures.png_header(90_000, 90_000), (422, "too_many_pixels")),
        (b"\0" * 300_001, (413, "too_large")),
        (b"\0" * 2_000_000, (413, "too_large")),
    ],
)
def test_photos_that_cannot_be_used(client, photo, expected):
    assert refusal(ask(client, photo=photo)) == expected


def test_body_without_an_announced_length_is_limited_too(client):
    head = (
        f"POST /trial HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n"
    )
    kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    part = b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as sending:
        sending.sendall(f"{head}{kind}".encode() + b"%x\r\n%b\r\n" % (len(part), part))
        for _ in range(14):  # 1.4 MB, and the last chunk never comes
            sending.sendall(b"186a0\r\n" + b"\0" * 100_000 + b"\r\n")
        answer = sending.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    ("act", "code"),
    [("bad_image", "too_small"), ("bad_params", "invalid"), ("raise", "app_error"), ("nan", "app_error"),
     ("huge", "output_too_large"), ("memory", "out_of_memory"), ("wrong", "app_error"),
     ("die", "worker_died")],
)  # fmt: skip
def test_whatever_an_app_does_the_server_answers(client, act, code):
    assert refusal(ask(client, act)) == (422, code)
    assert ask(client).status_code == 200


def test_options_are_refused_by_field(client):
    answer = ask(client, params={"act": "fly", "quality": 7})

    assert refusal(answer) == (422, "invalid")
    assert sorted(answer.json()["error"]["fields"]) == ["act", "quality"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"params": "{"}, "params"),
        ({"params": "[]"}, "params"),
        ({"params": "[" * 100_000}, "params"),
        ({"photo": None}, "file"),
        ({"path": "7/" + "a" * 64}, "file"),
        ({"photo": None, "path": "../../etc/passwd"}, "path"),
        ({"photo": None, "path": "7/../../etc/passwd"}, "path"),
        ({"photo": None, "file": "no file name"}, "file"),
        ({"assets": '{"tiles": "x"}'}, "assets"),
        ({"assets": '{"tiles": ["../x"]}'}, "assets"),
        ({"assets": json.dumps({"tiles": ["7/" + "a" * 64, "8/" + "a" * 64]})}, "assets"),
    ],
)
def test_malformed_questions(client, fields, field):
    answer = ask(client, **fields)

    assert refusal(answer) == (422, "invalid")
    assert list(answer.json()["error"]["fields"]) == [field]


def test_not_found_and_wrong_method(client):
    assert refusal(client.post("/nosuch")) == (404, "not_found")
    assert refusal(client.get("/trial")) == (405, "method_not_allowed")
    assert refusal(ask(client, photo=None, path="7/" + "f" * 64)) == (404, "not_found")


def test_kinds_that_the_app_does_not_make(client):
    assert refusal(ask(client, accept="video/mp4")) == (406, "not_acceptable")
    assert refusal(ask(client, name="fitted", params={}, accept="image/png")) == (406, "not_acceptable")
    assert refusal(ask(client, "invert", accept="text/plain")) == (406, "not_acceptable")


def test_token(client, server):
    for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}x", "Bearer ä"):
        answer = client.post("/trial", headers={"Authorization": wrong.encode()})
        assert refusal(answer) == (401, "not_authenticated")


def test_preview_that_takes_too_long_is_killed_and_the_slot_is_free_again(client):
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: refusal(ask(client, "spin")), range(2)))

    assert answers == [(422, "timed_out")] * 2
    assert 1.5 < time.monotonic() - start < 4
    assert ask(client).status_code == 200


def test_client_that_leaves_does_no_harm(client, server):
    host, port = client.base_url.host, client.base_url.port
    for body in (b"", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nhalf"):
        with socket.create_connection((host, port)) as leaving:
            head = f"POST /trial HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            kind = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999\r\n\r\n"
            leaving.sendall(f"{head}{kind}".encode() + body)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/trial", files={"file": ("a", PHOTO), "params": (None, '{"act": "sleep"}')}, timeout=0.2)

    assert ask(client).status_code == 200
    assert server.process.poll() is None


# --- Besides ----------------------------------------------------------------------------------------


def test_health_metrics_docs_and_schema(client):
    ask(client)
    assert client.get("/healthz").json() == {"status": "ok", "node": "node-1"}
    metrics = client.get("/metrics").text
    assert 'previews_total{processor="trial",status="ok"}' in metrics
    assert 'preview_seconds_count{processor="trial"}' in metrics
    docs = client.get("/docs").text
    assert "http://" not in docs.replace(str(client.base_url).rstrip("/"), "")
    assert "https://" not in docs
    assert "<script" not in docs
    schema = client.get("/openapi.json").json()
    content = schema["paths"]["/trial"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert content["schema"]["properties"]["params"]["properties"]["quality"]["maximum"] == 100
    assert set(schema["paths"]["/trial"]["post"]["responses"]) >= {"200", "413", "422"}


def test_heartbeat_keeps_beating(client, server):
    (first,) = jobfolder.read_endpoints(server.data_dir)
    assert (first.node, first.slots, first.pid) == ("node-1", 2, server.process.pid)

    until(lambda: jobfolder.read_endpoints(server.data_dir)[0].time > first.time, "the next heartbeat")


def test_fork_server_killed_comes_back(client, server):
    children = {pid for pid, parent in parents().items() if parent == server.process.pid}
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not children & parents().keys(), "the fork server gone")

    until(lambda: ask(client).status_code == 200, "answers again")


def test_second_server_of_the_name_and_taken_port(server, client):
    same_name = Server(server.data_dir)
    other = Server(server.data_dir, "--node", "node-2", "--port", str(client.base_url.port))
    no_token = Server(server.data_dir, "--node", "node-3", "--host", "::", RUNTIME_TOKEN="")

    for wrong, words in (
        (same_name, "node-1 is running already"),
        (other, "choose another port"),
        (no_token, "RUNTIME_TOKEN must be set"),
    ):
        assert wrong.process.wait(20) == 1
        (line,) = wrong.end().splitlines()
        assert words in line


def test_sigterm_answers_what_is_in_hand_and_leaves_nothing(tmp_path):
    server = Server(tmp_path)
    with server.client() as client:
        family = descendants(server.process.pid)
        gate: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: gate.append(ask(client, "sleep")))
        asking.start()
        until(lambda: "previews_active 1.0" in httpx.get(f"{client.base_url}/metrics").text, "in hand")

        server.process.terminate()
        asking.join(20)

    assert refusal(gate[0]) == (422, "timed_out")
    assert server.process.wait(10) == 0
    assert jobfolder.read_endpoints(tmp_path) == []
    until(lambda: not family & parents().keys(), "all its processes gone")
    server.end()


@pytest.mark.parametrize(
    ("accept", "outputs", "kind"),
    [
        ("image/*", ["image"], "image"),
        ("image/png", ["image"], "image"),
        ("*/*", ["text", "image"], "image"),
        ("*/*", ["data"], "json"),
        ("text/*", ["image", "text", "html"], "text"),
        ("text/html;q=0.5, text/plain", ["text", "html"], "text"),
        ("text/plain;q=0.1, application/json;q=0.9", ["text"], "json"),
        ("image/*;q=0, */*", ["image", "text"], "image"),
        ("text/html, image/*", ["image"], "image"),
        ("text/plain", ["image"], None),
        ("image/*;q=wrong", ["image"], None),
        ("", ["image"], None),
    ],
)
def test_negotiation(accept, outputs, kind):
    assert choose(accept, outputs) == kind
