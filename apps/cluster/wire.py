"""Questions over HTTP to servers of ours, on connections that are kept open.

The standard library's client, because what a general one does besides (cookies, redirects, encodings, a
parser in Python) takes longer than the way to a server and back. No proxy of the environment is used.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 3.0  # shorter than the servers': they never close a connection that is about to be used


class Unreachable(Exception):
    """No answer: nobody is there, or the connection broke."""


class TooSlow(Exception):
    """No answer in time; the server may still be at it."""


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: Mapping[str, str]  # whatever the case of a name
    content: bytes

    def json(self) -> Any:
        """Raises ValueError."""
        return json.loads(self.content)


class Connections:
    """To any number of servers; threads may share it. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: dict[str, list[tuple[HTTPConnection, float]]] = defaultdict(list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        """The answer, whatever its status. `seconds` to send the question, and to wait for each part of the
        answer. Raises Unreachable, TooSlow."""
        parts = urlsplit(url)
        connection = self._take(parts.netloc) or _connect(parts.netloc, seconds)
        kept = False
        try:
            connection.sock.settimeout(seconds)
            connection.request("POST", parts.path or "/", body, dict(headers))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            kept = not response.will_close
        except TimeoutError as error:
            raise TooSlow(str(error)) from error
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        finally:
            if kept:
                self._keep(parts.netloc, connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Those that are idle."""
        with self._lock:
            idle = [connection for kept in self._idle.values() for connection, _ in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _take(self, server: str) -> HTTPConnection | None:
        """The one that was used last, if the server has not closed it."""
        while True:
            with self._lock:
                kept = self._idle[server]
                if not kept:
                    del self._idle[server]
                    return None
                connection, since = kept.pop()
            if self._clock() - since < IDLE_SECONDS and not _has_something_to_read(connection.sock):
                return connection
            connection.close()

    def _keep(self, server: str, connection: HTTPConnection) -> None:
        now = self._clock()
        with self._lock:
            kept = self._idle[server]
            stale = [one for one, since in kept if now - since >= IDLE_SECONDS]
            self._idle[server] = [*kept[len(stale) :], (connection, now)]  # the oldest lie first
        for one in stale:
            one.close()


def _connect(server: str, seconds: float) -> HTTPConnection:
    connection = HTTPConnection(server, timeout=min(CONNECT_SECONDS, seconds))
    try:
        connection.connect()
    except (OSError, HTTPException) as error:  # one that is too slow to connect is not there
        with suppress(OSError):
            connection.close()
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    return connection


def _has_something_to_read(sock: socket.socket) -> bool:
    """Of a connection between two questions that is its end."""
    looked = select.poll()
    looked.register(sock, select.POLLIN)
    return bool(looked.poll(0))
