"""Preview servers that sleep (ENGINE=kubernetes): who is wanted, and how the waking goes.

The web asks nothing of Kubernetes. It leaves a note that a family is wanted; the controller reads it, scales,
and leaves a note of how that goes. Both lie in the cache and are renewed again and again: losing them costs a
moment. On the other engines nothing sleeps, and nothing here does anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.conf import settings
from django.core.cache import cache
from redis import RedisError

from apps.cluster.once import once
from apps.processing.services.wakeup import bell
from marketplace.api import ApiError

log = logging.getLogger(__name__)

HOLD_SECONDS = 3.0  # that a question waits for a server to come up, before it is sent back
HOLDERS = 4  # questions of a web process that wait like this at once: others need its threads
RETRY_SECONDS = 2
_LOOK_EVERY = 0.1
_NOTE_EVERY = 5.0  # seconds between two notes of a process that a family is in use
_DAY = 86_400
_NEWS = 15.0  # seconds for which the controller's word counts


def sleeps() -> bool:
    """Whether preview servers are stopped while nobody needs them."""
    return bool(settings.ENGINE == "kubernetes")


class Notes:
    """What this process wrote lately, so that a busy family costs a note every few seconds and no more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[str, float] = {}
        self._holding = 0

    def is_due(self, family: str, *, every: float = _NOTE_EVERY) -> bool:
        now = self._clock()
        with self._lock:
            due = now - self._written.get(family, float("-inf")) >= every
            if due:
                self._written[family] = now
            return due

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is one among those who wait."""
        with self._lock:
            given = self._holding < HOLDERS
            self._holding += given
        try:
            yield given
        finally:
            with self._lock:
                self._holding -= given


@once
def notes() -> Notes:
    """One a process."""
    return Notes()


def call(family: str, is_there: Callable[[], bool], deadline: float) -> None:
    """Note that a preview asks for the family; where none of its servers `is_there`, wake the controller and
    wait a little. Never raises: who finds none afterwards asks again, and that is noted again."""
    there = is_there()
    if notes().is_due(family, every=_NOTE_EVERY if there else _LOOK_EVERY):
        try:
            note(family, time.time())
        except RedisError as error:
            log.warning("could not note that %s is wanted: %s", family, error)
    if not there:
        bell().ring()
        _hold(family, is_there, deadline - time.monotonic() - 1.0)


def note(family: str, when: float) -> None:
    """It was asked for then, in seconds since the epoch. Raises RedisError."""
    cache.set(_wanted(family), when, _DAY)


def wanted(families: Sequence[str]) -> dict[str, float]:
    """When each was last asked for, in seconds since the epoch; without those of which nothing is known."""
    found: Mapping[str, float] = cache.get_many([_wanted(family) for family in families])
    return {family: found[key] for family in families if (key := _wanted(family)) in found}


def tell(family: str, trouble: str) -> None:
    """The controller's word: why the family can't be woken, in words; "" while nothing is wrong."""
    cache.set(_trouble(family), trouble, _NEWS)


def trouble(family: str) -> str:
    """Why it can't be woken, as far as is known."""
    try:
        return str(cache.get(_trouble(family), ""))
    except RedisError:
        return ""


def _hold(family: str, is_there: Callable[[], bool], seconds: float) -> None:
    """Wait for a server to come up: `seconds` at most, HOLD_SECONDS at most, and not at all where others wait
    already or it can't be woken."""
    end = time.monotonic() + min(seconds, HOLD_SECONDS)
    with notes().place() as given:
        while given and time.monotonic() < end and not trouble(family) and not is_there():
            time.sleep(_LOOK_EVERY)


def refusal(family: str) -> ApiError:
    """503: `waking_up` while one may come, `no_preview_server` with the reason when none can."""
    if why := trouble(family):
        text = f"The preview servers of this app can't start: {why} Your photo and options are kept."
        return ApiError(503, "no_preview_server", text, retry_after=30)
    text = "The preview servers of this app were asleep and are waking up. Your photo and options are kept."
    return ApiError(503, "waking_up", text, retry_after=RETRY_SECONDS)


def _wanted(family: str) -> str:
    return f"runtime:wanted:{family}"


def _trouble(family: str) -> str:
    return f"runtime:trouble:{family}"
