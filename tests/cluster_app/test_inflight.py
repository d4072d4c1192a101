"""Counting previews in hand: the same behaviour in Redis and in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
import redis

from apps.cluster.inflight import InFlight, MemoryInFlight, RedisInFlight, Resilient, get_counter
from tests.cluster_app.conftest import counts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


Pass = Callable[[float], None]


@pytest.fixture(params=["memory", "redis"])
def counter_and_time(request) -> Iterator[tuple[InFlight, Pass]]:
    """A counter, and how to let time pass. In Redis, whose clock can't be set, deadlines are moved back."""
    if request.param == "memory":
        clock = Clock()

        def wait(seconds: float) -> None:
            clock.now += seconds

        yield MemoryInFlight(clock), wait
        return
    with redis.Redis.from_url(request.getfixturevalue("empty_redis")) as client:

        def move(seconds: float) -> None:
            for key in client.keys("previews:*"):
                for token, _ in client.zrange(key, 0, -1, withscores=True):
                    client.zincrby(key, -seconds, token)

        yield RedisInFlight(client), move


@pytest.fixture
def counter(counter_and_time) -> InFlight:
    return counter_and_time[0]


@pytest.fixture
def wait(counter_and_time) -> Pass:
    return counter_and_time[1]


def test_nothing_is_in_hand_at_first(counter):
    assert counts(counter, ["a", "b"]) == {"a": 0, "b": 0}
    assert counts(counter, []) == {}


def test_entering_and_leaving_is_counted_for_each_server(counter):
    first, second = counter.enter("a", 5, 60), counter.enter("a", 5, 60)
    counter.enter("b", 5, 60)
    assert counts(counter, ["a", "b"]) == {"a": 2, "b": 1}

    counter.leave("a", first)

    assert first != second
    assert counts(counter, ["a", "b"]) == {"a": 1, "b": 1}


def test_looks_take_turns(counter):
    assert [counter.look(["a", "b"])[1] for _ in range(3)] == [0, 1, 2]
    counter.enter("a", 5, 60)

    assert counter.look([]) == ({}, 3)


def test_limit_holds(counter):
    tokens = [counter.enter("a", 2, 60) for _ in range(3)]

    assert tokens[2] is None
    assert counts(counter, ["a"]) == {"a": 2}
    counter.leave("a", tokens[0])
    assert counter.enter("a", 2, 60) is not None


def test_who_died_is_forgotten_at_the_deadline(counter, wait):
    counter.enter("a", 1, 20)
    wait(19)
    assert counts(counter, ["a"]) == {"a": 1}
    assert counter.enter("a", 1, 20) is None

    wait(2)

    assert counts(counter, ["a"]) == {"a": 0}
    assert counter.enter("a", 1, 20) is not None


def test_leaving_twice_or_too_late_is_harmless(counter, wait):
    token = counter.enter("a", 5, 20)
    other = counter.enter("a", 5, 60)
    wait(30)

    counter.leave("a", token)
    counter.leave("a", token)
    counter.leave("b", token)

    assert counts(counter, ["a"]) == {"a": 1}
    counter.leave("a", other)
    assert counts(counter, ["a"]) == {"a": 0}


def test_limit_holds_against_many_at_once(counter):
    tokens: list[str | None] = []
    start = threading.Barrier(12)

    def race() -> None:
        start.wait()
        tokens.extend(counter.enter("a", 5, 60) for _ in range(5))

    threads = [threading.Thread(target=race) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tokens) == 60
    assert sum(token is not None for token in tokens) == 5


def test_sets_in_redis_do_not_stay_for_ever(empty_redis):
    with redis.Redis.from_url(empty_redis) as client:
        RedisInFlight(client).enter("a", 5, 20)

        assert 79_000 < client.pttl("previews:a") <= 80_000


def test_without_redis_each_process_counts_its_own(caplog):
    with redis.Redis.from_url("redis://127.0.0.1:1/0") as nobody:
        counter = Resilient(RedisInFlight(nobody), MemoryInFlight())

        with caplog.at_level(logging.WARNING):
            tokens = [counter.enter("a", 2, 60) for _ in range(3)]
            found = counts(counter, ["a"])
            counter.leave("a", tokens[0])

        assert tokens[2] is None
        assert found == {"a": 2}
        assert counts(counter, ["a"]) == {"a": 1}
        assert "previews are counted in this process only" in caplog.text


def test_processes_share_one_count(settings, empty_redis):
    settings.REDIS_URL = empty_redis
    mine = get_counter()
    get_counter.forget()
    theirs = get_counter()

    mine.enter("a", 5, 60)

    assert theirs is not mine
    turns = [one.look(["a"])[1] for one in (mine, theirs, mine, theirs)]
    assert turns == [0, 1, 2, 3]
    assert counts(theirs, ["a"]) == {"a": 1}
