"""The preview server as pods run it: one family, a name of its own, an end in good order."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

import jobfolder
from model_images.runtime import registry
from model_images.runtime.presence import Presence
from tests.runtime import pictures
from tests.runtime.conftest import until
from tests.runtime.test_serve import Server, ask, refusal


@pytest.fixture
def without_onnxruntime(tmp_path) -> dict[str, str]:
    """The environment of an image that lacks it."""
    folder = tmp_path / "lacking" / "onnxruntime"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('not in this image')")
    return {"PYTHONPATH": str(folder.parent), "EXTRA_PROCESSORS": ""}


def test_family_offers_its_apps_alone_and_needs_no_others_libraries(tmp_path, without_onnxruntime):
    server = Server(tmp_path / "data", "--family", "filters", "--name", "pod-1", **without_onnxruntime)
    with server.client() as client:
        photo = pictures.jpeg(pictures.gradient(320, 240))
        answered = ask(client, name="blackwhite", params={}, photo=photo).status_code
        other = ask(client, name="detect", params={}, photo=photo).status_code
        ready = client.get("/readyz").status_code
        (beat,) = jobfolder.read_endpoints(server.data_dir)
        server.process.terminate()
    assert (answered, other, ready) == (200, 404, 200)
    assert (beat.name, beat.node, beat.family) == ("pod-1", "node-1", "filters")
    assert server.process.wait(10) == 0
    assert [path.name for path in (tmp_path / "data" / "endpoints").iterdir()] == []
    server.end()


def test_library_that_is_missing_is_told_when_no_family_is_named(tmp_path, without_onnxruntime):
    server = Server(tmp_path / "data", **without_onnxruntime)

    assert server.process.wait(20) != 0
    assert "not in this image" in server.end()
    assert jobfolder.read_endpoints(tmp_path / "data") == []


def test_unknown_family_is_refused(tmp_path):
    server = Server(tmp_path, "--family", "yolov9")

    assert server.process.wait(20) == 1
    assert "there is no family 'yolov9' of processors; there are filters, yolov5" in server.end()


def test_registry_of_a_family(monkeypatch):
    monkeypatch.setenv("EXTRA_PROCESSORS", "")
    assert registry.families() == list(registry.FAMILIES)
    monkeypatch.setenv("RUNTIME_FAMILY", "gan")
    assert registry.families() == ["model_images.gan"]
    monkeypatch.setenv("EXTRA_PROCESSORS", "tests.runtime.apps")
    monkeypatch.setenv("RUNTIME_FAMILY", "apps")
    assert registry.families() == ["tests.runtime.apps"]


def test_servers_of_one_node_have_names_of_their_own(tmp_path):
    one, two = (Server(tmp_path, "--name", name, "--family", "filters") for name in ("pod-1", "pod-2"))

    beats = until(lambda: len(found := jobfolder.read_endpoints(tmp_path)) == 2 and found, "both")

    assert {(beat.key, beat.node) for beat in beats} == {("pod-1", "node-1"), ("pod-2", "node-1")}
    for server in (one, two):
        server.end()


def test_who_leaves_is_gone_from_the_list_before_it_stops_answering(tmp_path):
    server = Server(tmp_path, "--linger", "3")
    with server.client() as client:
        in_hand: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: in_hand.append(ask(client, "sleep")))
        asking.start()
        until(lambda: "previews_active 1.0" in httpx.get(f"{client.base_url}/metrics").text, "in hand")

        server.process.send_signal(signal.SIGTERM)

        until(lambda: not jobfolder.read_endpoints(tmp_path), "its heartbeat gone")
        assert refusal(client.get("/readyz")) == (503, "not_ready")
        assert client.get("/healthz").status_code == 200
        late = ask(client)
        asking.join(20)

    assert refusal(in_hand[0]) == (422, "timed_out")
    assert late.status_code == 200
    assert server.process.wait(10) == 0
    server.end()


def test_second_signal_ends_the_linger(tmp_path):
    server = Server(tmp_path, "--linger", "60")
    server.client().close()
    server.process.terminate()
    until(lambda: not jobfolder.read_endpoints(tmp_path), "its heartbeat gone")

    server.process.terminate()

    assert server.process.wait(10) == 0
    server.end()


def test_presence_tells_why_others_do_not_know_of_it(tmp_path: Path):
    broken = False

    def write() -> None:
        if broken:
            raise OSError("the volume is away")

    presence = Presence(write, lambda: None)
    assert presence.trouble() == "Its heartbeat can't be written."
    presence.start()
    assert presence.trouble() == ""
    broken = True
    assert presence.trouble(lambda: time.monotonic() + 10) == "Its heartbeat can't be written."
    presence.stop()
    presence.stop()
    assert presence.trouble() == "It is stopping."
