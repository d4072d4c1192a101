"""Node rows follow heartbeats; history is kept."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache

import jobfolder
from apps.cluster.engines.celery import CeleryEngine
from apps.cluster.models import Node, NodeSample
from apps.cluster.services import samples
from tests.cluster_app.factories import make_job, make_node, make_placement


@pytest.fixture
def engine(db) -> CeleryEngine:
    return CeleryEngine()


def test_node_that_reports_becomes_a_row(engine, beat):
    said = beat("node-1", slots=2, speed=88.5, cores="0-1")

    engine.sync_nodes()

    node = Node.objects.get()
    assert (node.name, node.engine, node.status) == ("node-1", "celery", "ready")
    assert (node.slots, node.speed, node.cores, node.weight) == (2, 88.5, "0-1", 1)
    assert node.last_seen == datetime.fromtimestamp(said.time, UTC)
    assert node.started == datetime.fromtimestamp(said.started, UTC)


def test_what_staff_decided_stays(engine, beat):
    make_node("node-1", weight=7, cordoned=True)
    beat("node-1", speed=50.0)

    engine.sync_nodes()

    node = Node.objects.get()
    assert (node.weight, node.cordoned, node.speed) == (7, True, 50.0)


@pytest.mark.parametrize("age", [5.5, 3600, -5.5])
def test_silent_node_is_lost(engine, beat, caplog, age):
    make_node("node-1")
    beat("node-1", age=age)

    engine.sync_nodes()

    assert Node.objects.get().status == "lost"
    assert "node node-1 is lost" in caplog.text


def test_node_that_left_in_order_is_lost_at_once(engine, beat, settings, caplog):
    beat("node-1")
    engine.sync_nodes()
    jobfolder.remove_node(settings.DATA_DIR, "node-1", 4711)

    engine.sync_nodes()

    assert Node.objects.get().status == "lost"
    assert "node node-1 is lost: it has left" in caplog.text


def test_lost_node_that_comes_back_is_ready(engine, beat):
    make_node("node-1", state=Node.State.LOST)
    beat("node-1")

    engine.sync_nodes()

    assert Node.objects.get().status == "ready"


@pytest.mark.parametrize(("age", "words"), [(90, "is 90 s behind ours"), (-90, "is 90 s ahead of ours")])
def test_clock_that_is_off_is_named(engine, beat, caplog, age, words):
    """The file is being rewritten, so the node lives; only its clock says otherwise."""
    make_node("node-1")
    beat("node-1", age=age)

    engine.sync_nodes()

    assert words in caplog.text
    assert "NTP" in caplog.text


def test_nodes_of_another_engine_are_left_alone(engine, beat):
    Node.objects.create(name="pod-1", engine="kubernetes")
    beat("pod-2", engine="kubernetes")

    engine.sync_nodes()

    assert list(Node.objects.values_list("name", "state")) == [("pod-1", "ready")]


def test_heartbeat_that_makes_no_sense_is_none(engine, settings):
    folder = settings.DATA_DIR / "nodes"
    folder.mkdir()
    (folder / "node-1.json").write_text('{"node": "node-1"')
    (folder / "node-2.json").write_text('{"node": "node-9"}')

    engine.sync_nodes()

    assert not Node.objects.exists()


def test_numbers_that_make_no_sense_are_bounded(engine, beat):
    beat("node-1", slots=-3, started=1e11)
    beat("node-2", slots=10**11, started=-5.0)

    engine.sync_nodes()

    assert list(Node.objects.values_list("slots", flat=True)) == [1, 10_000]


def test_looking_again_costs_no_query(engine, beat, django_assert_num_queries):
    beat("node-1")
    engine.sync_nodes()

    with django_assert_num_queries(0):
        for _ in range(20):
            engine.sync_nodes()


def test_queries_do_not_grow_with_nodes(engine, beat, django_assert_max_num_queries):
    cache.add("cluster:pruned", 1)  # not the turn to delete old samples
    for number in range(40):
        beat(f"node-{number}")
        make_node(f"old-{number}")

    # rows as they are; who is lost; who is ready (in a savepoint); the sample: work, nodes, rows
    with django_assert_max_num_queries(12):
        engine.sync_nodes()

    assert Node.objects.filter(state="ready").count() == 40
    assert Node.objects.filter(state="lost").count() == 40
    assert NodeSample.objects.count() == 40


def test_last_seen_follows_once_a_second(db, beat):
    now = time.time()
    engine = CeleryEngine(clock=lambda: now)
    beat("node-1", time=now)
    engine.sync_nodes()
    beat("node-1", time=now + 1.5)
    now += 1.5

    engine.sync_nodes()

    assert Node.objects.get().last_seen == datetime.fromtimestamp(now, UTC)


class TestSamples:
    NOW = 1_790_000_000.0

    @pytest.fixture(autouse=True)
    def _node(self, db):
        make_node("node-1", slots=2)
        make_node("node-2", state=Node.State.LOST)

    def test_sample_counts_work_and_photos_since_the_one_before(self, alice):
        job = make_job(alice)
        running, ended = make_placement(job, "node-1", done=10), make_placement(job, "node-1", done=5)
        samples.take(self.NOW)
        running.done, ended.done = 14, 6
        ended.state, ended.finished = "exited", datetime.fromtimestamp(self.NOW + 3, UTC)
        running.save()
        ended.save()
        cache.delete("cluster:sample")

        samples.take(self.NOW + 5)

        rows = NodeSample.objects.order_by("time").values_list("node", "active", "slots", "images")
        assert list(rows) == [("node-1", 2, 2, 0), ("node-1", 1, 2, 5)]

    def test_of_many_processes_one_keeps_the_sample(self):
        assert [samples.take(self.NOW) for _ in range(5)] == [True, False, False, False, False]
        assert NodeSample.objects.count() == 1

    def test_old_samples_go(self):
        now = datetime.fromtimestamp(self.NOW, UTC)
        for hours in (25, 23):
            NodeSample.objects.create(node="node-1", time=now - timedelta(hours=hours), active=0, slots=1)

        samples.take(self.NOW)

        kept = NodeSample.objects.order_by("time").values_list("time", flat=True)
        assert list(kept) == [now - timedelta(hours=23), now]

    def test_without_the_cache_there_is_a_gap(self, settings, caplog):
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",
            }
        }

        with caplog.at_level(logging.DEBUG):
            assert samples.take(self.NOW) is False

        assert not NodeSample.objects.exists()
        assert "no sample of the nodes' load" in caplog.text
