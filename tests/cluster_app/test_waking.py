"""Preview servers that sleep: wished for, waited for, and told why they can't be woken."""

from __future__ import annotations

import threading
import time

import pytest
from redis import RedisError

from apps.cluster import waking
from apps.processing.services.wakeup import bell
from tests.cluster_app.test_endpoints import _settings, ask, counter, refused, serve
from tests.cluster_app.test_endpoints_pods import pod

__all__ = ["_settings", "counter", "serve"]  # fixtures


@pytest.fixture(autouse=True)
def _kubernetes(settings, monkeypatch):
    settings.ENGINE = "kubernetes"
    monkeypatch.setattr(waking, "HOLD_SECONDS", 0.3)
    waking.notes.forget()
    bell().wait(0.01)
    yield
    waking.notes.forget()


class Cache:
    """Remembers what it was given, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.noted: list[str] = []

    def set(self, key: str, *_: object) -> None:
        self._there()
        self.noted.append(key)

    def get(self, _: str, default: str = "") -> str:
        self._there()
        return default

    def _there(self) -> None:
        if self.away:
            raise RedisError("away")


def test_preview_of_a_sleeping_family_is_noted_and_sent_back():
    began = time.time()

    error = refused(family="filters")

    assert (error.status_code, error.code, error.wait) == (503, "waking_up", 2)
    assert waking.wanted(["filters", "gan"]).keys() == {"filters"}
    assert waking.wanted(["filters"])["filters"] == pytest.approx(began, abs=5)
    assert bell().wait(0.01), "the controller is woken"


def test_server_that_comes_up_in_time_answers(serve, monkeypatch):
    monkeypatch.setattr(waking, "HOLD_SECONDS", 5.0)
    timer = threading.Timer(0.2, lambda: pod(serve, "pod-1"))
    timer.start()

    assert ask(family="filters").json() == {"node": "pod-1"}
    timer.join()


def test_who_waits_gives_up_before_its_own_deadline(monkeypatch):
    monkeypatch.setattr(waking, "HOLD_SECONDS", 60.0)
    began = time.monotonic()

    error = refused(family="filters", timeout=1.5)

    assert error.code == "waking_up"
    assert time.monotonic() - began < 1.4


def test_only_a_few_wait_at_once(monkeypatch):
    monkeypatch.setattr(waking, "HOLDERS", 0)
    monkeypatch.setattr(waking, "HOLD_SECONDS", 60.0)

    assert refused(family="filters").code == "waking_up"


def test_reason_why_it_can_not_be_woken_is_told_at_once(monkeypatch):
    monkeypatch.setattr(waking, "HOLD_SECONDS", 60.0)
    waking.tell("filters", "node-1 can't get the image: pixelyard/filters:9: it does not exist.")

    error = refused(family="filters")

    assert (error.status_code, error.code, error.wait) == (503, "no_preview_server", 30)
    assert "can't start: node-1 can't get the image" in error.message
    assert "filters" in waking.wanted(["filters"]), "it is still wanted"
    waking.tell("filters", "")
    monkeypatch.setattr(waking, "HOLD_SECONDS", 0.1)
    assert refused(family="filters").code == "waking_up"


def test_use_is_noted_now_and_then(serve, monkeypatch):
    pod(serve, "pod-1")
    cache = Cache()
    monkeypatch.setattr(waking, "cache", cache)

    for _ in range(5):
        ask(family="filters")

    assert cache.noted == ["runtime:wanted:filters"]
    assert not bell().wait(0.01)


def test_last_server_that_dies_over_a_preview_means_waking(serve):
    server = pod(serve, "pod-1")
    server.dies = True

    assert refused(family="filters").code == "waking_up"


def test_without_the_cache_a_preview_still_gets_its_answer(serve, monkeypatch):
    monkeypatch.setattr(waking, "cache", Cache(away=True))
    pod(serve, "pod-1")

    assert ask(family="filters").status_code == 200
    assert refused(family="gan").code == "waking_up"


def test_on_the_other_engines_nothing_sleeps(settings):
    settings.ENGINE = "celery"

    error = refused(family="filters")

    assert (error.code, error.wait) == ("no_preview_server", 5)
    assert waking.wanted(["filters"]) == {}
