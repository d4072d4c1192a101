"""Connections to servers that answer, keep silent, hang up and come back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from apps.cluster.wire import IDLE_SECONDS, Connections, TooSlow, Unreachable
from tests.cluster_app.conftest import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: read;dur=1\r\n\r\nhi"


class Server:
    """Answers each question with `answer`, whatever it says; `then_closes` after each."""

    def __init__(self) -> None:
        self.answer = OK
        self.then_closes = False
        self.asked: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        seen = b""
        try:
            while data := connection.recv(65536):
                seen += data
                if seen.endswith(b"end"):
                    self.asked.append(seen)
                    seen = b""
                    connection.sendall(self.answer)
                    if self.then_closes:
                        connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    some = Connections()
    yield some
    some.close()


def ask(connections: Connections, url: str, seconds: float = 5):
    return connections.post(f"{url}/blackwhite", b"end", {"Accept": "image/*"}, seconds)


def test_question_and_answer(connections, server):
    answer = ask(connections, server.url)

    assert (answer.status_code, answer.content) == (200, b"hi")
    assert answer.headers.get("server-timing") == "read;dur=1"
    assert server.asked[0].startswith(b"POST /blackwhite HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 3\r\n" in server.asked[0]
    with pytest.raises(ValueError):
        answer.json()


def test_a_connection_is_used_again(connections, server):
    for _ in range(3):
        ask(connections, server.url)

    assert len(server.connections) == 1


def test_a_connection_that_the_server_has_closed_is_replaced(connections, server):
    server.then_closes = True
    for _ in range(3):
        ask(connections, server.url)
        wait_for_the_end(connections, server.url)

    assert len(server.asked) == len(server.connections) == 3


def wait_for_the_end(connections: Connections, url: str) -> None:
    kept = connections._pools.connection_from_url(url).pool.queue[-1]
    assert kept.sock.recv(1, socket.MSG_PEEK) == b""


def test_connections_that_were_idle_for_long_are_replaced(server):
    clock = [0.0]
    connections = Connections(lambda: clock[0])
    ask(connections, server.url)
    clock[0] = IDLE_SECONDS - 0.1
    ask(connections, server.url)
    assert len(server.connections) == 1
    clock[0] += IDLE_SECONDS + 0.1

    ask(connections, server.url)

    assert len(server.connections) == 2
    connections.close()


def test_an_answer_that_says_close_ends_the_connection(connections, server):
    server.answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    for _ in range(2):
        ask(connections, server.url)

    assert len(server.connections) == 2


@pytest.mark.parametrize(
    "answer", [b"", OK[:-1], b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"]
)
def test_a_broken_answer_is_none(connections, server, answer):
    server.answer, server.then_closes = answer, True

    with pytest.raises(Unreachable):
        ask(connections, server.url)
    server.answer, server.then_closes = OK, False
    assert ask(connections, server.url).content == b"hi"


def test_nobody_there(connections):
    with pytest.raises(Unreachable, match="refused"):
        ask(connections, f"http://127.0.0.1:{free_port()}")


def test_no_answer_in_time(connections, server):
    server.answer = b""

    with pytest.raises(TooSlow):
        ask(connections, server.url, 0.05)
    server.answer = OK
    assert ask(connections, server.url).content == b"hi", "on a connection of its own"


def test_an_answer_that_stops_half_way(connections, server):
    server.answer = OK[:-1]

    with pytest.raises(TooSlow):
        ask(connections, server.url, 0.05)


def test_threads_have_connections_of_their_own(connections, server):
    start = threading.Barrier(8)
    found: list[bytes] = []

    def race() -> None:
        start.wait()
        for _ in range(10):
            found.append(ask(connections, server.url).content)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [b"hi"] * 80
    assert len(server.connections) <= 8
