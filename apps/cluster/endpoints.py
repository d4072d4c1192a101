"""Previews: one question to one preview server, chosen by the policy, and answered at once or refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlencode

import httpx
from django.conf import settings

import jobfolder
from apps.cluster import waking
from apps.cluster.engines.verdict import fresh
from apps.cluster.inflight import get_counter
from apps.cluster.kube import slugs
from apps.cluster.latency import latencies
from apps.cluster.models import Node
from apps.cluster.once import once
from apps.cluster.services import balancing
from apps.cluster.wire import Answer, Connections, TooSlow, Unreachable
from loadbalancer.policy import NodeView
from marketplace.api import ApiError, too_many

log = logging.getLogger(__name__)

File = tuple[str, bytes | IO[bytes], str]  # name, content, media type

SERVICE_PORT = 8080
_READ_EVERY = 0.5  # seconds between two looks at the endpoints' heartbeats
_DEAD_SECONDS = 5.0  # how long a server that could not be reached is left alone
_GRACE = 5.0  # beyond the time limit, a server is still taken to be busy with a preview
_TOO_MANY = 429


@dataclass(frozen=True)
class Endpoint:
    """A preview server that may get work."""

    name: str  # the node's, unless several share it
    url: str
    slots: int
    started: float  # with the URL, says which process this is
    weight: int = 1
    speed: float = 1.0
    family: str = ""  # "": it offers all
    is_service: bool = False  # many behind one address, which spreads the work by itself

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

    def candidates(self, family: str = "") -> list[Endpoint]:
        """Those that offer the family's apps, by name, without those that did not answer lately. With
        PREVIEW_ROUTE=service, while any is alive, the Service before them."""
        with self._lock:
            now = self._clock()
            if now - self._read_at >= _READ_EVERY:
                self._found = _read_endpoints()
                self._read_at = now
            self._dead = {key: until for key, until in self._dead.items() if until > now}
            found = [one for one in self._found if one.process not in self._dead]
        if family:
            found = [one for one in found if one.family in ("", family)]
        return _behind_service(family, found) if settings.PREVIEW_ROUTE == "service" and family else found

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
            slots = max(1, beat.slots)
            found.append(Endpoint(beat.key, beat.url, slots, beat.started, weight, speed, beat.family))
    return found


def _behind_service(family: str, found: Sequence[Endpoint]) -> list[Endpoint]:
    if not found:
        return []
    slots = sum(one.slots for one in found)
    name = slugs.name(family, "runtime")
    return [Endpoint(name, _service_url(family), slots, 0.0, family=family, is_service=True)]


def _service_url(family: str) -> str:
    return f"http://{slugs.name(family, 'runtime')}.{settings.KUBE_NAMESPACE}:{SERVICE_PORT}"


@once
def directory() -> Directory:
    """One a process."""
    return Directory()


@once
def connections() -> Connections:
    """One a process: connections are kept open between previews."""
    return Connections()


def send_preview(
    processor: str,
    fields: Mapping[str, str],
    files: Mapping[str, File],
    accept: str,
    timeout: float | None = None,
    family: str = "",
) -> Answer:
    """The answer of a preview server to `POST /<processor>`, whatever its status.

    `family`: of the processor, where servers offer one each and sleep while nobody asks for it. A server that
    can't be reached is left alone for some seconds, and another is asked, once. `timeout`: seconds for all of
    it; PREVIEW_SECONDS by default. Raises ApiError: 429 `too_many` when every server has its slots and
    PREVIEW_QUEUE more in hand, 503 `waking_up` or `no_preview_server`, 504 `preview_timeout`.
    """
    deadline = time.monotonic() + (timeout or settings.PREVIEW_SECONDS)
    if family and waking.sleeps():
        waking.call(family, lambda: bool(directory().candidates(family)), deadline)
    tried: list[str] = []
    for _ in range(2):
        left = deadline - time.monotonic()
        if left <= 0:
            raise _timed_out()
        endpoint, token = _reserve(family, tried, left)
        if not endpoint.is_service:
            tried.append(endpoint.name)
        over, start = True, time.monotonic()
        try:
            answer = _post(endpoint, processor, fields, files, accept, left)
            if answer.status_code == _TOO_MANY:
                raise _busy()  # it has a limit of its own, for when the shared counts are away
            latencies().observe(endpoint.process, time.monotonic() - start)
            return answer
        except Unreachable as error:
            _gone(endpoint, error)
        except TooSlow:
            over = False  # the server may still be at it: its count ends by the deadline
            latencies().observe(endpoint.process, time.monotonic() - start)
            raise _timed_out() from None
        finally:
            if over:
                get_counter().leave(endpoint.name, token)
    raise _none_alive(family)


def _reserve(family: str, tried: Sequence[str], seconds: float) -> tuple[Endpoint, str]:
    """A server by the policy among those with room, and the token of the place taken there."""
    open_ = [one for one in directory().candidates(family) if one.name not in tried]
    if not open_:
        raise _none_alive(family)
    counter, policy = get_counter(), balancing.current_policy()
    active, turn = counter.look([one.name for one in open_])
    while open_ := [one for one in open_ if active[one.name] < _limit(one)]:
        views = [_view(one, active[one.name]) for one in open_]
        chosen = balancing.choose(views, "previews", policy, turn)
        endpoint = next(one for one in open_ if one.name == chosen.name)
        token = counter.enter(endpoint.name, _limit(endpoint), seconds + _GRACE)
        if token:
            return endpoint, token
        active[endpoint.name] = _limit(endpoint)  # others filled it in between
    raise _busy()


def _view(endpoint: Endpoint, active: int) -> NodeView:
    latency = latencies().of(endpoint.process)
    return NodeView(endpoint.name, endpoint.slots, active, endpoint.weight, endpoint.speed, latency)


def _limit(endpoint: Endpoint) -> int:
    return endpoint.slots + settings.PREVIEW_QUEUE


def _post(
    endpoint: Endpoint,
    processor: str,
    fields: Mapping[str, str],
    files: Mapping[str, File],
    accept: str,
    seconds: float,
) -> Answer:
    headers = {"Accept": accept}
    if settings.RUNTIME_TOKEN:
        headers["Authorization"] = f"Bearer {settings.RUNTIME_TOKEN}"
    if endpoint.is_service:
        headers["Connection"] = "close"  # a Service spreads connections, not questions
    body, headers["Content-Type"] = _form(fields, files)
    return connections().post(f"{endpoint.url.rstrip('/')}/{processor}", body, headers, seconds)


def _form(fields: Mapping[str, str], files: Mapping[str, File]) -> tuple[bytes, str]:
    """As a body and its media type: a plain form without files, which takes less to write and to read."""
    if not files:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    for _, content, _ in files.values():
        if not isinstance(content, bytes):
            content.seek(0)  # an earlier try may have read it
    form = httpx.Request("POST", "http://-/", data=dict(fields), files=dict(files))
    return form.read(), form.headers["Content-Type"]


def _gone(endpoint: Endpoint, error: Exception) -> None:
    log.warning("the preview server %s did not answer: %s", endpoint.name, error)
    if not endpoint.is_service:
        directory().bury(endpoint)


def _busy() -> ApiError:
    return too_many("Every preview server is busy. Nothing was lost; try again in a moment.", retry_after=1)


def _none_alive(family: str = "") -> ApiError:
    if family and waking.sleeps():
        return waking.refusal(family)
    message = "No preview server answers just now. Your photo and options are kept; try again in a moment."
    return ApiError(503, "no_preview_server", message, retry_after=5)


def _timed_out() -> ApiError:
    message = "The preview took longer than its time limit. Try a smaller photo or lighter options."
    return ApiError(504, "preview_timeout", message)
