"""nginx as the web tier's benchmark starts it, in front of two small servers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from benchmarks import _nginx, web_tier


class Slow(BaseHTTPRequestHandler):
    """Answers `/slow` after half a second on the first server, and everything else at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow" and self.server.server_port == min(self.server.ports):  # type: ignore[attr-defined]
            time.sleep(0.5)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ports() -> Iterator[list[int]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Slow) for _ in range(2)]
    ports = [server.server_port for server in servers]
    for server in servers:
        server.daemon_threads = True
        server.ports = ports  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ports
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def installed() -> None:
    try:
        _nginx.find()
    except _nginx.NoNginx as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("installed")
def test_round_robin_alternates_and_least_conn_spares_the_busy_one(ports, tmp_path):
    shares = {}
    for method in ("round_robin", "least_conn"):
        folder = tmp_path / method
        folder.mkdir()
        with (
            _nginx.nginx(folder, ports, method) as url,
            ThreadPoolExecutor(8) as threads,
            httpx.Client(trust_env=False) as client,
        ):
            answers = [threads.submit(client.get, f"{url}/slow") for _ in range(4)]
            time.sleep(0.1)  # the slow server has some in hand now
            answers += [threads.submit(client.get, f"{url}/slow") for _ in range(4)]
            shares[method] = Counter(answer.result().headers["x-upstream"] for answer in answers)

    assert set(shares["round_robin"].values()) == {4}
    assert shares["least_conn"][f"127.0.0.1:{min(ports)}"] < 4


def test_without_nginx_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr(_nginx.shutil, "which", lambda *_, **__: None)

    with pytest.raises(_nginx.NoNginx, match="install it"):
        web_tier.run(["--quick"])


def test_wrong_cores_are_answered_in_words(capsys):
    with pytest.raises(SystemExit):
        web_tier.run(["--cpus", "0.4"])

    assert "--cpus takes pairs of numbers" in capsys.readouterr().err


def test_an_answer_that_never_came_counts_with_its_wait():
    good, lost = web_tier.Answer(0.1, 200, "127.0.0.1:1"), web_tier.Answer(10.0, 0, "")

    row = web_tier._row("1:1", "one", 5.0, 9.0, [[good, lost]], [1, 2])

    assert (row["requests"], row["failed"], row["shares"]) == (2, 1, "100 : 0")
    assert row["p50_ms"] == pytest.approx(5050.0)
