"""Watches that end, break, expire or say nothing: what is seen follows the cluster all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from apps.cluster.kube import mirror as module
from apps.cluster.kube.api import Expired, Refused, Unreachable
from apps.cluster.kube.mirror import Mirror
from tests.api_client import wait_until
from tests.cluster_app.fake_cluster import FakeCluster

AWAY = Unreachable("connection refused")


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.add_node("node-1")
    return cluster


@pytest.fixture
def mirror(cluster, monkeypatch) -> Iterator[Mirror]:
    monkeypatch.setattr(module, "RELIST", 1)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.1)
    mirror = Mirror(cluster)
    yield mirror
    mirror.stop()


def names(mirror: Mirror) -> list[str]:
    return [node["metadata"]["name"] for node in mirror.look().nodes]


def test_first_look_shows_what_is_there(mirror, cluster):
    assert not mirror.started
    mirror.start()
    mirror.start()

    assert names(mirror) == ["node-1"]
    assert mirror.started and mirror.look().time > time.time() - 5


def test_change_is_seen(mirror, cluster):
    mirror.start()
    number = mirror.look().number
    cluster.add_node("node-2")

    wait_until(lambda: names(mirror) == ["node-1", "node-2"], 5, "node-2 to be seen", pause=0.01)
    assert mirror.look().number > number


@pytest.mark.parametrize(
    "end", [Expired("too old resource version"), AWAY, Refused("no right"), ValueError("no JSON")]
)
def test_watch_that_breaks_is_followed_by_a_new_list(mirror, cluster, end):
    cluster.watch_ends = [end] * 3
    mirror.start()
    cluster.add_node("node-2")

    wait_until(lambda: len(names(mirror)) == 2, 10, "node-2 to be seen", pause=0.01)


def test_watch_that_says_nothing_does_not_matter(mirror, cluster, monkeypatch):
    monkeypatch.setattr(cluster, "watch", lambda *args: (time.sleep(0.3), iter(()))[1])
    mirror.start()
    cluster.add_node("node-2")

    wait_until(lambda: len(names(mirror)) == 2, 5, "node-2 to be seen", pause=0.01)


def test_server_that_goes_away_and_comes_back(mirror, cluster):
    mirror.start()
    cluster.broken = AWAY
    wait_until(lambda: mirror.look().error, 5, "the error", pause=0.01)
    assert names(mirror) == ["node-1"]  # what was known stays
    cluster.add_node("node-2")
    cluster.broken = None

    wait_until(lambda: len(names(mirror)) == 2 and not mirror.look().error, 5, "node-2", pause=0.01)


def test_server_that_is_away_from_the_start(mirror, cluster):
    cluster.broken = AWAY
    mirror.start()

    sight = mirror.look()
    assert (sight.time, sight.nodes, sight.error) == (0, (), "connection refused")


def test_warnings_are_listed_when_asked_for_and_not_too_often(mirror, cluster):
    cluster.warn(cluster.node("node-1"), "FailedMount", "no such file")
    mirror.start()
    assert mirror.look().warnings == ()

    for _ in range(20):
        mirror.look_for_warnings()

    wait_until(lambda: mirror.look().warnings, 5, "the warning", pause=0.01)
    assert cluster.calls.count(("list", "events")) == 1
