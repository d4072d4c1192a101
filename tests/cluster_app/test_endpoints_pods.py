"""Preview servers in pods: several on a node, one family each, asked by their addresses or by a Service."""

from __future__ import annotations

import pytest

from apps.cluster import endpoints
from tests.cluster_app.factories import make_node
from tests.cluster_app.test_endpoints import _settings, announce, ask, counter, refused, serve

__all__ = ["_settings", "counter", "serve"]  # fixtures


def pod(serve, name: str, node: str = "node-1", family: str = "filters", **fields):
    return serve(node, name=name, family=family, **fields)


def test_servers_of_one_node_are_asked_in_turn(serve):
    for name in ("pod-1", "pod-2"):
        pod(serve, name)

    assert [ask(family="filters").json()["node"] for _ in range(4)] == ["pod-1", "pod-2"] * 2


def test_servers_of_another_family_are_not_asked(serve):
    pod(serve, "pod-1", family="gan")
    pod(serve, "pod-2")

    assert {ask(family="filters").json()["node"] for _ in range(3)} == {"pod-2"}
    assert refused(family="yolov5").code == "no_preview_server"


def test_server_that_names_no_family_offers_all(serve):
    serve("node-1")

    assert ask(family="yolov5").json() == {"node": "node-1"}


def test_cordoned_node_takes_all_its_servers_out(serve):
    make_node("node-1", cordoned=True)
    pod(serve, "pod-1")
    pod(serve, "pod-2")
    pod(serve, "pod-3", node="node-2")

    assert {ask(family="filters").json()["node"] for _ in range(3)} == {"pod-3"}


def test_each_pod_has_room_of_its_own(serve, counter):
    pod(serve, "pod-1")
    pod(serve, "pod-2")
    for _ in range(2):  # its slot, and PREVIEW_QUEUE
        counter.enter("pod-1", 99, 60)

    assert {ask(family="filters").json()["node"] for _ in range(3)} == {"pod-2"}


def test_pod_that_dies_over_a_preview_is_replaced_by_another(serve):
    dying = pod(serve, "pod-1")
    dying.dies = True
    pod(serve, "pod-2")

    assert [ask(family="filters").json()["node"] for _ in range(3)] == ["pod-2"] * 3
    assert len(dying.seen) == 1


# --- Through the Service ------------------------------------------------------------------------------


@pytest.fixture
def service(serve, settings, monkeypatch):
    """The family's Service, as its name resolves in the cluster; two pods stand behind it."""
    settings.PREVIEW_ROUTE = "service"
    server = serve("node-9", name="the-service", family="other")
    monkeypatch.setattr(endpoints, "_service_url", lambda family: f"{server.url}/{family}")
    for number in (1, 2):
        announce(settings, "node-1", "http://127.0.0.1:1", name=f"pod-{number}", family="filters", slots=2)
    return server


def test_service_is_asked_anew_each_time(service):
    assert {ask(family="filters").json()["node"] for _ in range(3)} == {"the-service"}

    paths = [path for path, _, _ in service.seen]
    assert paths == ["/filters/blackwhite"] * 3
    assert len(service.connections) == 3, "a Service spreads connections"


def test_service_has_the_room_of_its_pods(service, counter):
    for _ in range(4):  # two slots each
        counter.enter("runtime-filters", 99, 60)
    assert ask(family="filters").status_code == 200  # PREVIEW_QUEUE
    counter.enter("runtime-filters", 99, 60)

    assert refused(family="filters").code == "too_many"


def test_service_is_asked_again_when_a_pod_died_over_a_preview(service):
    service.dies = True
    assert refused(family="filters").code == "no_preview_server"
    assert len(service.seen) == 2

    service.dies = False
    assert ask(family="filters").status_code == 200, "it is not left alone: others stand behind it"


def test_service_without_pods_is_not_asked(service):
    assert refused(family="yolov5").code == "no_preview_server"
    assert service.seen == []


def test_address_of_the_service(settings):
    settings.KUBE_NAMESPACE = "jobs"

    assert endpoints._service_url("filters") == "http://runtime-filters.jobs:8080"
