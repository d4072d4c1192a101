"""The gateway against a small HTTP server that answers as an API server does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.cluster.engines import EngineError
from apps.cluster.kube import client as module
from apps.cluster.kube.api import AlreadyThere, Expired, NotThere, Refused, Unreachable
from apps.cluster.kube.client import Client
from tests.cluster_app.conftest import free_port

pytest.importorskip("kubernetes")


class Server(ThreadingHTTPServer):
    """Answers every request with `answer`, and keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.asked: list[tuple[str, str, dict]] = []


class Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        self.server.asked.append((self.command, self.path, body))
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(server, tmp_path, monkeypatch) -> Client:
    return _client(tmp_path, monkeypatch, server.server_address[1])


def _client(tmp_path, monkeypatch, port: int) -> Client:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "abc"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return Client("jobs")


def say(server: Server, value: dict, status: int = 200) -> None:
    server.answer = status, json.dumps(value).encode()


def test_listing(server, client):
    say(server, {"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "17"}})

    found = client.list("jobs", "app=batch")

    assert (found.items[0]["metadata"]["name"], found.version) == ("a", "17")
    assert server.asked[0][:2] == ("GET", "/apis/batch/v1/namespaces/jobs/jobs?labelSelector=app%3Dbatch")
    client.list("nodes")
    assert server.asked[1][1] == "/api/v1/nodes"


def test_making_and_removing(server, client):
    say(server, {"metadata": {"uid": "u1"}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "job-1"}}

    assert client.create("configmaps", body)["metadata"]["uid"] == "u1"
    client.delete("jobs", "worker-1", uid="u2", grace=0)

    assert server.asked[0] == ("POST", "/api/v1/namespaces/jobs/configmaps", body)
    method, path, options = server.asked[1]
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/jobs/jobs/worker-1")
    assert options["propagationPolicy"] == "Background"
    assert (options["preconditions"], options["gracePeriodSeconds"]) == ({"uid": "u2"}, 0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Refused),
        (403, Refused),
        (404, NotThere),
        (409, AlreadyThere),
        (410, Expired),
        (422, Refused),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_refusals_are_told_apart(server, client, status, kind):
    say(server, {"kind": "Status", "message": "because of this"}, status)

    with pytest.raises(EngineError, match="because of this") as caught:
        client.get("jobs", "worker-1")
    assert type(caught.value) is kind


def test_answer_that_is_no_json(server, client):
    server.answer = 200, b"<html>a proxy's page"

    with pytest.raises(Unreachable, match="answers with something else"):
        client.list("pods")


def test_server_that_is_not_there(tmp_path, monkeypatch):
    client = _client(tmp_path, monkeypatch, free_port())

    with pytest.raises(Unreachable, match="does not answer"):
        client.list("pods")
    with pytest.raises(Unreachable):
        list(client.watch("pods", "1", 1))


def test_watch_yields_changes_and_tells_when_it_has_expired(server, client):
    lines = [{"type": "ADDED", "object": {"metadata": {}}}, {"type": "ERROR", "object": {"code": 410}}]
    server.answer = 200, "\n".join(json.dumps(line) for line in lines).encode() + b"\n"
    events = client.watch("pods", "17", 5, "a=b")

    assert next(events)["type"] == "ADDED"
    with pytest.raises(Expired):
        next(events)
    assert "resourceversion=17" in server.asked[0][1].lower() and "watch=true" in server.asked[0][1].lower()


def test_rights(server, client):
    say(server, {"status": {"allowed": True}}, 201)

    assert client.may("get", "deployments/scale")
    attributes = server.asked[0][2]["spec"]["resourceAttributes"]
    assert attributes["verb"] == "get" and attributes["namespace"] == "jobs"
    assert (attributes["group"], attributes["resource"], attributes["subresource"]) == (
        "apps",
        "deployments",
        "scale",
    )


def test_no_cluster_is_configured(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "missing")
    )

    with pytest.raises(EngineError, match="set KUBECONFIG"):
        Client("jobs").list("pods")


def test_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)

    with pytest.raises(EngineError, match="install the extra `kubernetes`"):
        Client("jobs").list("pods")
    assert module.CONNECT < module.ANSWER
