"""Previews over preview servers that really answer, refuse, hang and die."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs

import pytest
from django.db import connection

import jobfolder
from apps.cluster import endpoints
from apps.cluster.endpoints import Directory, send_preview
from apps.cluster.inflight import MemoryInFlight, get_counter
from apps.cluster.models import ClusterSettings
from marketplace.api import ApiError
from tests.cluster_app.conftest import counts, free_port
from tests.cluster_app.factories import make_node


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: PreviewServer = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.seen.append((self.path, dict(self.headers), body))
        server.connections.add(self.client_address)
        if server.dies:
            self.close_connection = True
            return
        server.gate.wait(20)
        answer = json.dumps({"node": server.node}).encode()
        self.send_response(server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class PreviewServer(ThreadingHTTPServer):
    """Answers with its name; `gate` holds answers back, `dies` breaks the connection instead."""

    daemon_threads = True

    def __init__(self, node: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.node = node
        self.status = 200
        self.dies = False
        self.gate = threading.Event()
        self.gate.set()
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


Serve = Callable[..., PreviewServer]


def announce(settings, node: str, url: str, *, slots: int = 1, age: float = 0.0, **more: str) -> None:
    now = time.time()
    beat = jobfolder.EndpointHeartbeat(node, url, slots, pid=1, started=now - 60, time=now - age, **more)
    jobfolder.write_endpoint(settings.DATA_DIR, beat)


@pytest.fixture
def serve(settings) -> Iterator[Serve]:
    servers = []

    def start(node: str, **fields) -> PreviewServer:
        server = PreviewServer(fields.get("name") or node)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        announce(settings, node, server.url, **fields)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.gate.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def counter(monkeypatch) -> MemoryInFlight:
    """The double behind the seam, so that no Redis is needed."""
    double = MemoryInFlight()
    monkeypatch.setattr(endpoints, "get_counter", lambda: double)
    return double


@pytest.fixture(autouse=True)
def _settings(settings, db):
    settings.BALANCING_POLICY = "round_robin"
    settings.PREVIEW_QUEUE = 1
    settings.RUNTIME_TOKEN = ""


def ask_in_a_thread():
    """A thread has a database connection of its own, which nobody else closes."""
    try:
        ask()
    finally:
        connection.close()


def ask(**fields):
    values = {
        "processor": "blackwhite",
        "fields": {"params": "{}"},
        "files": {"file": ("cat.jpg", b"bytes of a cat", "image/jpeg")},
        "accept": "application/json",
    }
    return send_preview(**(values | fields))


def refused(**fields) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask(**fields)
    return caught.value


def test_question_arrives_whole_and_the_answer_comes_back(serve, settings):
    settings.RUNTIME_TOKEN = "secret"
    server = serve("node-1")

    answer = ask(fields={"params": '{"mode": "otsu"}', "path": "alice/00ff"})

    assert (answer.status_code, answer.json()) == (200, {"node": "node-1"})
    path, headers, body = server.seen[0]
    assert path == "/blackwhite"
    assert headers["Accept"] == "application/json"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="params"\r\n\r\n{"mode": "otsu"}\r\n' in body
    assert b'name="path"\r\n\r\nalice/00ff\r\n' in body
    assert b'name="file"; filename="cat.jpg"\r\nContent-Type: image/jpeg\r\n\r\nbytes of a cat\r\n' in body


def test_question_without_a_file_is_a_plain_form(serve):
    server = serve("node-1")

    ask(files={}, fields={"params": '{"mode": "otsu"}', "path": "alice/00ff"})

    _, headers, body = server.seen[0]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {"params": ['{"mode": "otsu"}'], "path": ["alice/00ff"]}


def test_refusal_of_the_server_is_handed_on(serve):
    server = serve("node-1")
    server.status = 422

    assert ask().status_code == 422


def test_servers_own_limit_is_429_too(serve):
    server = serve("node-1")
    server.status = 429

    error = refused()

    assert (error.status_code, error.wait) == (429, 1)


def test_rotation_over_the_servers(serve):
    for number in (1, 2, 3):
        serve(f"node-{number}")

    names = [ask().json()["node"] for _ in range(6)]

    assert names == ["node-1", "node-2", "node-3"] * 2


def test_staffs_policy_and_weights_count(serve):
    ClusterSettings.objects.create(policy="weighted_round_robin")
    make_node("node-1", weight=2)
    make_node("node-2", weight=1)
    for number in (1, 2):
        serve(f"node-{number}")

    assert Counter(ask().json()["node"] for _ in range(6)) == {"node-1": 4, "node-2": 2}


def test_slow_server_is_avoided_by_its_latency(serve, settings):
    settings.BALANCING_POLICY = "peak_ewma"
    slow = serve("node-1")
    serve("node-2")
    slow.gate.clear()
    threading.Timer(0.4, slow.gate.set).start()

    asked = [ask().json()["node"] for _ in range(6)]

    assert asked == ["node-1"] + ["node-2"] * 5  # each is tried once


def test_cordoned_node_gets_no_previews(serve):
    make_node("node-1", cordoned=True)
    serve("node-1")
    serve("node-2")

    assert [ask().json()["node"] for _ in range(3)] == ["node-2"] * 3


def test_connections_are_kept_open(serve):
    server = serve("node-1")

    for _ in range(5):
        ask()

    assert len(server.connections) == 1


def test_count_goes_back_to_zero(serve, counter):
    serve("node-1")

    ask()

    assert counts(counter, ["node-1"]) == {"node-1": 0}


def test_no_server_at_all():
    error = refused()

    assert (error.status_code, error.code) == (503, "no_preview_server")


@pytest.mark.parametrize("age", [60, -60])
def test_server_that_fell_silent_is_not_asked(serve, age):
    server = serve("node-1", age=age)

    assert refused().code == "no_preview_server"
    assert server.seen == []


def test_beyond_slots_and_queue_it_is_429(serve, settings):
    settings.PREVIEW_QUEUE = 2
    server = serve("node-1", slots=1)
    server.gate.clear()
    threads = [threading.Thread(target=ask_in_a_thread) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(server.seen) == 3)

    error = refused()

    assert (error.status_code, error.code, error.wait) == (429, "too_many", 1)
    server.gate.set()
    for thread in threads:
        thread.join()
    assert ask().status_code == 200
    assert len(server.seen) == 4, "the one refused was never sent"


def test_full_server_is_passed_over(serve, counter):
    serve("node-1", slots=1)
    serve("node-2", slots=1)
    for _ in range(2):
        counter.enter("node-1", 99, 60)

    assert [ask().json()["node"] for _ in range(3)] == ["node-2"] * 3


def test_counts_of_a_web_process_that_died_expire(serve, monkeypatch):
    clock = [0.0]
    double = MemoryInFlight(lambda: clock[0])
    monkeypatch.setattr(endpoints, "get_counter", lambda: double)
    serve("node-1", slots=1)
    for _ in range(2):
        double.enter("node-1", 99, 25)  # and never leave
    assert refused().code == "too_many"

    clock[0] = 26.0

    assert ask().status_code == 200


def test_dead_server_is_replaced_by_another_and_left_alone(serve, settings, counter):
    announce(settings, "node-1", f"http://127.0.0.1:{free_port()}")
    serve("node-2")

    names = [ask().json()["node"] for _ in range(4)]

    assert names == ["node-2"] * 4
    assert counts(counter, ["node-1", "node-2"]) == {"node-1": 0, "node-2": 0}
    assert [one.name for one in endpoints.directory().candidates()] == ["node-2"]


def test_server_that_dies_over_a_preview_is_replaced(serve):
    broken, good = serve("node-1"), serve("node-2")
    broken.dies = True
    photo = BytesIO(b"bytes of a cat")

    answer = ask(files={"file": ("cat.jpg", photo, "image/jpeg")})

    assert answer.json() == {"node": "node-2"}
    assert b"bytes of a cat" in broken.seen[0][2]
    assert b"bytes of a cat" in good.seen[0][2], "the file is sent from its beginning again"


def test_two_dead_servers_are_enough(settings):
    for number in (1, 2, 3):
        announce(settings, f"node-{number}", f"http://127.0.0.1:{free_port()}")

    assert refused().code == "no_preview_server"
    assert len(endpoints.directory().candidates()) == 1, "the third was not tried"


def test_dead_server_gets_another_chance_later(settings):
    clock = [0.0]
    announce(settings, "node-1", "http://127.0.0.1:1")
    directory = Directory(lambda: clock[0])
    directory.bury(directory.candidates()[0])
    assert directory.candidates() == []

    clock[0] = 5.1

    assert [one.name for one in directory.candidates()] == ["node-1"]


def test_restarted_server_is_asked_at_once(settings):
    clock = [0.0]
    announce(settings, "node-1", "http://127.0.0.1:1")
    directory = Directory(lambda: clock[0])
    directory.bury(directory.candidates()[0])

    announce(settings, "node-1", "http://127.0.0.1:1")  # same port, started later
    clock[0] = 0.6

    assert [one.name for one in directory.candidates()] == ["node-1"]


def test_heartbeats_are_read_twice_a_second_at_most(settings, django_assert_num_queries):
    clock = [0.0]
    announce(settings, "node-1", "http://127.0.0.1:1")
    directory = Directory(lambda: clock[0])
    assert len(directory.candidates()) == 1
    announce(settings, "node-2", "http://127.0.0.1:2")

    clock[0] = 0.4
    with django_assert_num_queries(0):
        assert len(directory.candidates()) == 1

    clock[0] = 0.5
    with django_assert_num_queries(1):
        assert len(directory.candidates()) == 2


def test_preview_that_takes_too_long_is_504(serve, counter):
    server = serve("node-1")
    server.gate.clear()
    start = time.monotonic()

    error = refused(timeout=0.2)

    assert (error.status_code, error.code) == (504, "preview_timeout")
    assert 0.15 < time.monotonic() - start < 2
    assert counts(counter, ["node-1"]) == {"node-1": 1}, "the server may still be at it"


def test_server_that_only_times_out_is_not_taken_for_dead(serve):
    server = serve("node-1")
    server.gate.clear()
    refused(timeout=0.1)
    server.gate.set()

    assert ask().status_code == 200


def test_proxies_of_the_environment_are_not_used(serve, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    serve("node-1")

    assert ask().status_code == 200


def test_preview_takes_one_query_while_heartbeats_are_fresh(serve, django_assert_num_queries):
    serve("node-1")
    ask()

    with django_assert_num_queries(1):  # the policy in force
        ask()


def test_shared_counter_is_used_where_there_is_redis(serve, settings, empty_redis, monkeypatch):
    settings.REDIS_URL = empty_redis
    monkeypatch.setattr(endpoints, "get_counter", get_counter)
    serve("node-1", slots=1)
    for _ in range(2):
        get_counter().enter("node-1", 99, 60)

    assert refused().code == "too_many"


def until(check: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.005)
