"""Questions over HTTP to servers of ours, on connections that are kept open.

By urllib3, because what a browser-like client does besides (cookies, redirects, proxies, a parser in Python)
takes a third of the way to a server and back. No proxy of the environment is used.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 3.0  # shorter than the servers': they do not close a connection that is about to be used
_SERVERS = 200  # to which connections are kept
_EACH = 50  # kept to each


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
        self._used = clock()
        self._pools = urllib3.PoolManager(_SERVERS, maxsize=_EACH, retries=False)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        """The answer, whatever its status. `seconds` to send the question, and to wait for each part of the
        answer. Raises Unreachable, TooSlow."""
        self._close_idle()
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)
        try:
            answer = self._pools.request(
                "POST", url, body=body, headers=headers, timeout=timeout, decode_content=False
            )
        except (ConnectTimeoutError, NewConnectionError) as error:  # too slow to connect: not there
            raise Unreachable(str(error)) from error
        except TimeoutError as error:
            raise TooSlow(str(error)) from error
        except HTTPError as error:
            raise Unreachable(str(error)) from error
        return Answer(answer.status, answer.headers, answer.data)

    def close(self) -> None:
        """Those that are idle now, and the others when they are done."""
        self._pools.clear()

    def _close_idle(self) -> None:
        """After a pause. In between, a connection that its server has closed is noticed when it is taken."""
        with self._lock:
            now = self._clock()
            paused, self._used = now - self._used >= IDLE_SECONDS, now
        if paused:
            self._pools.clear()
