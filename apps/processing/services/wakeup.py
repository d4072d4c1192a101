"""Telling the controller that there is something to do. It only saves time: the controller looks anyway.

The bell is a Redis list where the cache is Redis, and an in-process queue where it is not (in tests).
"""

from __future__ import annotations

import logging
import queue
from contextlib import suppress
from functools import lru_cache
from typing import Protocol

import redis
from django.conf import settings

log = logging.getLogger(__name__)

_KEY = "pixelyard:controller:bell"


class Bell(Protocol):
    def ring(self) -> None:
        """Wake the controller. Never raises: a lost ring costs a second."""

    def wait(self, seconds: float) -> bool:
        """Until somebody rings or `seconds` have passed, or up to 0.1 s more; True if somebody rang."""

    def has_rung(self) -> bool:
        """Whether somebody has rung; at once."""


class RedisBell:
    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=2.5)

    def ring(self) -> None:
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.lpush(_KEY, 1)
                pipe.ltrim(_KEY, 0, 0)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("could not wake the controller: %s", error)

    def wait(self, seconds: float) -> bool:
        """Raises redis.RedisError: the caller decides how to wait without Redis. Redis looks at its clock ten
        times a second, so 0.02 s take it 0.1 s."""
        return self._redis.blpop([_KEY], timeout=seconds) is not None

    def has_rung(self) -> bool:
        """Raises redis.RedisError."""
        return self._redis.lpop(_KEY) is not None


class LocalBell:
    def __init__(self) -> None:
        self._queue: queue.Queue[int] = queue.Queue(maxsize=1)

    def ring(self) -> None:
        with suppress(queue.Full):  # it is ringing already
            self._queue.put_nowait(1)

    def wait(self, seconds: float) -> bool:
        try:
            self._queue.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def has_rung(self) -> bool:
        return self.wait(0)


def bell() -> Bell:
    shared = settings.CACHES["default"]["BACKEND"].endswith("RedisCache")
    return _bell(settings.REDIS_URL if shared else "")


@lru_cache(maxsize=4)
def _bell(url: str) -> Bell:
    return RedisBell(url) if url else LocalBell()
