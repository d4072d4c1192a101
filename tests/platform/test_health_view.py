"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ConnectionError as RedisDown

import jobfolder
from apps.cluster.models import Node
from apps.processing.models import Job, Lease
from jobfolder import EndpointHeartbeat, NodeHeartbeat
from marketplace import logs
from marketplace.metrics import exposition

READY = dict.fromkeys(("database", "migrations", "cache", "nodes", "previews", "controller"), "ok")


@pytest.fixture
def alive(db, settings):
    """A node, a preview server and a controller."""
    now = time.time()
    node = NodeHeartbeat("node-1", "celery", slots=1, speed=20.0, cores="0", pid=1, started=now, time=now)
    jobfolder.write_node(settings.DATA_DIR, node)
    preview = EndpointHeartbeat("node-1", "http://127.0.0.1:1", slots=1, pid=2, started=now, time=now)
    jobfolder.write_endpoint(settings.DATA_DIR, preview)
    return Lease.objects.create(name="controller", holder="a", until=timezone.now() + timedelta(minutes=1))


def test_healthz_touches_no_database(client):
    """Without the fixture `db`, a query would fail this test."""
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readyz_is_200_when_everything_is_there(client, alive):
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, READY)
    assert "no-store" in response["Cache-Control"]


def test_readyz_tells_what_is_missing(client, db):
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == READY | {
        "nodes": "no node worker is alive",
        "previews": "no preview server is alive",
        "controller": "no controller is at work",
    }


def test_preview_servers_that_may_sleep_need_not_be_there(client, db, settings):
    settings.ENGINE = "kubernetes"

    assert client.get("/readyz").json()["previews"] == "ok"


@pytest.mark.parametrize("age", [6.0, -6.0])  # long dead, or with a clock that is off
def test_readyz_does_not_believe_an_old_heartbeat(client, alive, settings, age):
    then = time.time() - age
    node = NodeHeartbeat("node-1", "celery", slots=1, speed=20.0, cores="0", pid=1, started=then, time=then)
    jobfolder.write_node(settings.DATA_DIR, node)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == READY | {"nodes": "no node worker is alive"}


def test_readyz_does_not_believe_a_lease_that_has_run_out(client, alive):
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))

    assert client.get("/readyz").json() == READY | {"controller": "no controller is at work"}


def test_readyz_says_that_redis_is_down(client, alive, monkeypatch):
    def down(*_, **__):
        raise RedisDown("refused")

    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.set", down)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == READY | {"cache": "Redis does not answer: refused"}


def test_expected_503_is_not_logged_as_an_error(client, db, rf):
    record = logging.LogRecord("django.request", logging.ERROR, "", 1, "Service Unavailable", None, None)
    record.request, record.status_code = rf.get("/readyz"), 503
    other = logging.LogRecord("django.request", logging.ERROR, "", 1, "Internal Server Error", None, None)
    other.request, other.status_code = rf.get("/readyz"), 500

    assert logs.NotReadyz().filter(record) is False
    assert logs.NotReadyz().filter(other) is True


# --- Metrics ------------------------------------------------------------------------------------------


def _samples(response) -> dict[tuple, float]:
    text = response.content.decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_requests_by_view_and_state_of_the_platform(client, alive, alice):
    Job.objects.create(owner=alice, app="ascii", folder_name="Photos", params={}, total=1)
    key = ("pixelyard_requests_total", ("method", "GET"), ("status", "200"), ("view", "healthz"))
    before = _samples(client.get("/metrics")).get(key, 0)
    client.get("/healthz")

    found = _samples(client.get("/metrics"))

    assert found[key] == before + 1
    assert found["pixelyard_jobs", ("status", "queued")] == 1
    assert found["pixelyard_jobs", ("status", "failed")] == 0
    assert found["pixelyard_queue_length",] == 1
    assert found["pixelyard_node_up", ("node", "node-1")] == 1
    assert found["pixelyard_preview_server_up", ("node", "node-1"), ("server", "node-1")] == 1


def test_unknown_addresses_and_methods_make_no_new_series(client, db):
    for number in range(5):
        client.get(f"/made/up/{number}")
        client.generic(f"MADE{number}", "/healthz")

    labels = {key for key in _samples(client.get("/metrics")) if key[0] == "pixelyard_requests_total"}

    assert not any("made" in str(key).lower() for key in labels)


def test_metrics_of_many_jobs_take_the_same_queries(client, alive, alice, django_assert_num_queries):
    for number in range(10):
        Job.objects.create(owner=alice, app="ascii", folder_name=f"{number}", params={}, total=1)

    with django_assert_num_queries(2):
        client.get("/metrics")


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 403),
        ("not an address", {}, 403),
    ],
)
def test_metrics_are_for_this_machine(client, db, address, headers, status):
    assert client.get("/metrics", REMOTE_ADDR=address, headers=headers).status_code == status


@pytest.mark.parametrize(("sent", "status"), [("Bearer s3cret", 200), ("Bearer wrong", 403), ("", 403)])
def test_metrics_with_a_token_are_for_its_bearers(client, db, settings, sent, status):
    settings.METRICS_TOKEN = "s3cret"

    assert client.get("/metrics", headers={"Authorization": sent}).status_code == status


def test_metrics_are_for_staff_from_anywhere(staff_web, alice_web):
    assert staff_web.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert alice_web.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403


def test_readyz_can_be_asked_for_some_checks_only(client, db):
    """A web process without nodes and previews still has its pages."""
    response = client.get("/readyz?only=database,migrations")

    assert (response.status_code, response.json()) == (200, {"database": "ok", "migrations": "ok"})


def test_readyz_knows_no_other_checks(client, db):
    assert client.get("/readyz?only=database,weather").status_code == 404


@pytest.fixture
def on_kubernetes(alive, settings):
    """A node as the controller has just written it down, and no heartbeat file of one."""
    settings.ENGINE = "kubernetes"
    jobfolder.remove_node(settings.DATA_DIR, "node-1", 1)
    return Node.objects.create(name="worker-a", engine="kubernetes", last_seen=timezone.now())


def test_on_kubernetes_nodes_are_those_that_the_controller_saw(client, on_kubernetes):
    assert client.get("/readyz").json() == READY
    assert 'pixelyard_node_up{node="worker-a"} 1.0' in exposition().decode()


@pytest.mark.parametrize("change", [{"state": "lost"}, {"last_seen": None}, {"age": 60}])
def test_on_kubernetes_a_lost_node_and_old_news_do_not_count(client, on_kubernetes, change):
    if age := change.pop("age", 0):
        change["last_seen"] = timezone.now() - timedelta(seconds=age)
    Node.objects.update(**change)
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["nodes"].startswith("no node of the Kubernetes cluster is ready")
    assert 'pixelyard_node_up{node="worker-a"} 0.0' in exposition().decode()
