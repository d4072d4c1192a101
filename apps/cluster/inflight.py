"""How many previews each preview server has in hand, counted across all web processes; and whose turn it is.

A server's previews are members of a sorted set, scored with the time by which each must be over. Who dies
without leaving is forgotten then: the count heals by itself. Redis' own clock is used, so web servers need
not agree on the time. The double keeps the same sets in memory, for tests and for when Redis is away.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import redis
from django.conf import settings

from apps.cluster.once import once

log = logging.getLogger(__name__)


class InFlight(Protocol):
    def look(self, names: Sequence[str]) -> tuple[dict[str, int], int]:
        """How many previews each server has in hand now, and the turn: how many looks there were before."""
        ...

    def enter(self, name: str, limit: int, seconds: float) -> str | None:
        """Count one more for `name`, for `seconds` at most, unless it has `limit` already: then None. The
        token is for `leave`."""
        ...

    def leave(self, name: str, token: str) -> None:
        """That one is over. Leaving twice, or after the deadline, is harmless."""
        ...


class MemoryInFlight:
    """Within one process. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._deadlines: dict[str, dict[str, float]] = {}
        self._turns = itertools.count()

    def look(self, names: Sequence[str]) -> tuple[dict[str, int], int]:
        with self._lock:
            return {name: len(self._current(name)) for name in names}, next(self._turns)

    def enter(self, name: str, limit: int, seconds: float) -> str | None:
        with self._lock:
            current = self._current(name)
            if len(current) >= limit:
                return None
            token = secrets.token_hex(8)
            current[token] = self._clock() + seconds
            return token

    def leave(self, name: str, token: str) -> None:
        with self._lock:
            self._deadlines.get(name, {}).pop(token, None)

    def _current(self, name: str) -> dict[str, float]:
        now = self._clock()
        current = {token: end for token, end in self._deadlines.get(name, {}).items() if end > now}
        self._deadlines[name] = current
        return current


_ENTER = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + ARGV[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000) + 60000)
return 1
"""
_LOOK = """
local now = redis.call('TIME')
now = string.format('(%.6f', now[1] + now[2] / 1e6)
local found = {redis.call('INCR', KEYS[1]) - 1}
for i = 2, #KEYS do found[i] = redis.call('ZCOUNT', KEYS[i], now, '+inf') end
return found
"""
_TURN = "turn:previews"


class RedisInFlight:
    """Raises redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._enter = client.register_script(_ENTER)
        self._look = client.register_script(_LOOK)

    def look(self, names: Sequence[str]) -> tuple[dict[str, int], int]:
        turn, *found = map(int, self._look(keys=[_TURN, *map(_key, names)]))
        return dict(zip(names, found, strict=True)), turn

    def enter(self, name: str, limit: int, seconds: float) -> str | None:
        token = secrets.token_hex(8)
        return token if self._enter(keys=[_key(name)], args=[limit, seconds, token]) else None

    def leave(self, name: str, token: str) -> None:
        self._client.zrem(_key(name), token)


def _key(name: str) -> str:
    return f"previews:{name}"


class Resilient:
    """Redis while it answers; without it, the previews of this process alone are counted."""

    def __init__(self, shared: InFlight, own: InFlight) -> None:
        self._shared = shared
        self._own = own

    def look(self, names: Sequence[str]) -> tuple[dict[str, int], int]:
        own, turn = self._own.look(names)
        try:
            shared, turn = self._shared.look(names)
        except redis.RedisError as error:
            log.warning("previews are counted in this process only: %s", error)
            return own, turn
        return {name: shared[name] + own[name] for name in names}, turn

    def enter(self, name: str, limit: int, seconds: float) -> str | None:
        try:
            return self._shared.enter(name, limit, seconds)
        except redis.RedisError:
            return self._own.enter(name, limit, seconds)

    def leave(self, name: str, token: str) -> None:
        self._own.leave(name, token)
        try:
            self._shared.leave(name, token)
        except redis.RedisError:
            return  # its deadline ends it


@once
def get_counter() -> InFlight:
    """One a process; connects when first used."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)
    return Resilient(RedisInFlight(client), MemoryInFlight())
