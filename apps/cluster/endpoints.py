"""Previews: one question to one preview server, chosen by the policy, and answered at once or refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import httpx
from django.conf import settings

import jobfolder
from apps.cluster.engines.verdict import fresh
from apps.cluster.inflight import get_counter
from apps.cluster.latency import latencies
from apps.cluster.models import Node
from apps.cluster.once import once
from apps.cluster.services import balancing
from loadbalancer.policy import NodeView
from marketplace.api import ApiError, too_many

log = logging.getLogger(__name__)

File = tuple[str, bytes | IO[bytes], str]  # name, content, media type

_READ_EVERY = 0.5  # seconds between two looks at the endpoints' heartbeats
_DEAD_SECONDS = 5.0  # how long a server that could not be reached is left alone
_GRACE = 5.0  # beyond the time limit, a server is still taken to be busy with a preview
_CONNECT_SECONDS = 2.0
_IDLE_SECONDS = 3.0  # shorter than the servers': they never close a connection that is about to be used


@dataclass(frozen=True)
class Endpoint:
    """A preview server that may get work."""

    node: str
    url: str
    slots: int
    started: float  # with the URL, says which process this is
    weight: int = 1
    speed: float = 1.0

    @property
    def process(self) -> tuple[str, float]:
        return self.url, self.started


class Directory:
    """The preview servers that are alive, as their heartbeats say, and which of them did not answer.

    Read again at most every half second: a new server, or a cordon, shows after that.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: list[Endpoint] = []
        self._dead: dict[tuple[str, float], float] = {}

    def candidates(self) -> list[Endpoint]:
        """By name of the node; without those that did not answer lately, unless none did."""
        with self._lock:
            now = self._clock()
            if now - self._read_at >= _READ_EVERY:
                self._found = _read_endpoints()
                self._read_at = now
            self._dead = {key: until for key, until in self._dead.items() if until > now}
            return [one for one in self._found if one.process not in self._dead]

    def bury(self, endpoint: Endpoint) -> None:
        """It did not answer. A server that was started since is another one."""
        with self._lock:
            self._dead[endpoint.process] = self._clock() + _DEAD_SECONDS


def _read_endpoints() -> list[Endpoint]:
    now = time.time()
    beats = [
        beat
        for beat in jobfolder.read_endpoints(settings.DATA_DIR)
        if fresh(beat.time, now, settings.NODE_TIMEOUT)
    ]
    columns = ("name", "weight", "speed", "cordoned")
    known = {
        row[0]: row for row in Node.objects.filter(name__in=[b.node for b in beats]).values_list(*columns)
    }
    found = []
    for beat in beats:
        _, weight, speed, cordoned = known.get(beat.node, (beat.node, 1, 1.0, False))
        if not cordoned:
            found.append(Endpoint(beat.node, beat.url, max(1, beat.slots), beat.started, weight, speed))
    return found


@once
def directory() -> Directory:
    """One a process."""
    return Directory()


@once
def connections() -> httpx.HTTPTransport:
    """One a process: connections are kept open between previews. Without a client around it, whose cookies,
    redirects and proxies are for the outside world and cost a third of the way to a server and back."""
    limits = httpx.Limits(max_connections=200, keepalive_expiry=_IDLE_SECONDS)
    return httpx.HTTPTransport(trust_env=False, limits=limits)


def send_preview(
    processor: str,
    fields: Mapping[str, str],
    files: Mapping[str, File],
    accept: str,
    timeout: float | None = None,
) -> httpx.Response:
    """The answer of a preview server to `POST /<processor>`, whatever its status.

    A server that can't be reached is left alone for some seconds, and another is asked, once. `timeout`:
    seconds for all of it; PREVIEW_SECONDS by default. Raises ApiError: 429 `too_many` when every server has
    its slots and PREVIEW_QUEUE more in hand, 503 `no_preview_server`, 504 `preview_timeout`.
    """
    deadline = time.monotonic() + (timeout or settings.PREVIEW_SECONDS)
    tried: list[str] = []
    for _ in range(2):
        left = deadline - time.monotonic()
        if left <= 0:
            raise _timed_out()
        endpoint, token = _reserve(tried, left)
        tried.append(endpoint.node)
        over, start = True, time.monotonic()
        try:
            answer = _post(endpoint, processor, fields, files, accept, left)
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise _busy()  # it has a limit of its own, for when the shared counts are away
            latencies().observe(endpoint.process, time.monotonic() - start)
            return answer
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError) as error:
            _gone(endpoint, error)
        except httpx.RemoteProtocolError as error:
            _gone(endpoint, error)
        except httpx.TimeoutException:
            over = False  # the server may still be at it: its count ends by the deadline
            latencies().observe(endpoint.process, time.monotonic() - start)
            raise _timed_out() from None
        finally:
            if over:
                get_counter().leave(endpoint.node, token)
    raise _none_alive()


def _reserve(tried: Sequence[str], seconds: float) -> tuple[Endpoint, str]:
    """A server by the policy among those with room, and the token of the place taken there."""
    open_ = [one for one in directory().candidates() if one.node not in tried]
    if not open_:
        raise _none_alive()
    counter, policy = get_counter(), balancing.current_policy()
    active = counter.counts([one.node for one in open_])
    while open_ := [one for one in open_ if active[one.node] < _limit(one)]:
        views = [_view(one, active[one.node]) for one in open_]
        chosen = balancing.choose(views, "previews", policy)
        endpoint = next(one for one in open_ if one.node == chosen.name)
        token = counter.enter(endpoint.node, _limit(endpoint), seconds + _GRACE)
        if token:
            return endpoint, token
        active[endpoint.node] = _limit(endpoint)  # others filled it in between
    raise _busy()


def _view(endpoint: Endpoint, active: int) -> NodeView:
    latency = latencies().of(endpoint.process)
    return NodeView(endpoint.node, endpoint.slots, active, endpoint.weight, endpoint.speed, latency)


def _limit(endpoint: Endpoint) -> int:
    return endpoint.slots + settings.PREVIEW_QUEUE


def _post(
    endpoint: Endpoint,
    processor: str,
    fields: Mapping[str, str],
    files: Mapping[str, File],
    accept: str,
    seconds: float,
) -> httpx.Response:
    for _, content, _ in files.values():
        if not isinstance(content, bytes):
            content.seek(0)  # an earlier try may have read it
    headers = {"Accept": accept}
    if settings.RUNTIME_TOKEN:
        headers["Authorization"] = f"Bearer {settings.RUNTIME_TOKEN}"
    timeout = httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))
    request = httpx.Request(
        "POST",
        f"{endpoint.url.rstrip('/')}/{processor}",
        data=dict(fields),
        files=dict(files) or None,
        headers=headers,
        extensions={"timeout": timeout.as_dict()},
    )
    answer = connections().handle_request(request)
    answer.read()
    return answer


def _gone(endpoint: Endpoint, error: Exception) -> None:
    log.warning("the preview server of %s did not answer: %s", endpoint.node, error)
    directory().bury(endpoint)


def _busy() -> ApiError:
    return too_many("Every preview server is busy. Nothing was lost; try again in a moment.", retry_after=1)


def _none_alive() -> ApiError:
    message = "No preview server answers just now. Your photo and options are kept; try again in a moment."
    return ApiError(503, "no_preview_server", message, retry_after=5)


def _timed_out() -> ApiError:
    message = "The preview took longer than its time limit. Try a smaller photo or lighter options."
    return ApiError(504, "preview_timeout", message)
