"""`/api/v1/nodes` and `/api/v1/cluster`: everyone who is logged in looks, staff change."""

from __future__ import annotations

import logging

import pytest

from apps.cluster.models import ClusterSettings, Node
from loadbalancer import registry
from tests.cluster_app.factories import make_job, make_node, make_placement


@pytest.fixture
def node(db) -> Node:
    return make_node("node-1", slots=2, speed=120.5, cores="0-1")


def test_list_says_how_busy_each_node_is(alice_api, bob, node):
    make_node("node-2", cordoned=True)
    make_node("node-3", state=Node.State.LOST)
    job = make_job(bob)
    make_placement(job, "node-1")
    make_placement(job, "node-1", state="placed")
    make_placement(job, "node-1", state="exited")
    make_placement(job, "node-2", state="lost")

    answer = alice_api.get("/api/v1/nodes")

    assert answer.status_code == 200
    assert answer.json()["count"] == 3
    assert answer.json()["next"] is None
    assert answer.json()["items"][0] == {
        "name": "node-1",
        "status": "ready",
        "slots": 2,
        "active": 2,
        "weight": 1,
        "speed": 120.5,
        "engine": "celery",
        "cores": "0-1",
        "cordoned": False,
        "closed": "",
        "started": None,
        "last_seen": None,
    }
    assert [(n["name"], n["status"], n["active"]) for n in answer.json()["items"][1:]] == [
        ("node-2", "cordoned", 0),
        ("node-3", "lost", 0),
    ]


def test_list_is_paged(alice_api, node):
    make_node("node-2")

    first = alice_api.get("/api/v1/nodes?page_size=1").json()
    second = alice_api.get(first["next"]).json()

    assert [first["items"][0]["name"], second["items"][0]["name"]] == ["node-1", "node-2"]
    assert second["next"] is None


def test_list_takes_two_queries_however_many_nodes(alice_api, alice, django_assert_num_queries):
    for number in range(30):
        make_node(f"node-{number}")
        make_placement(make_job(alice), f"node-{number}")

    with django_assert_num_queries(2):  # how many; the page with each node's work
        alice_api.get("/api/v1/nodes")


def test_cluster_says_what_is_in_force(alice_api, settings):
    settings.BALANCING_POLICY = "power_of_two"

    answer = alice_api.get("/api/v1/cluster")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["engine"], body["policy"], body["policy_set_by"]) == (
        "celery",
        "power_of_two",
        "environment",
    )
    names = [one["name"] for one in body["policies"]]
    assert names == [name for name in registry.names() if name != "scheduler"]


def test_staff_choose_a_policy_and_the_log_says_who(staff_api, caplog):
    with caplog.at_level(logging.INFO, "audit"):
        answer = staff_api.patch("/api/v1/cluster", {"policy": "round_robin"}, format="json")

    assert answer.status_code == 200
    assert (answer.json()["policy"], answer.json()["policy_set_by"]) == ("round_robin", "staff")
    assert ClusterSettings.objects.get().policy == "round_robin"
    assert caplog.messages == ["staff@example.org set the balancing policy from pull to round_robin"]


def test_staff_go_back_to_the_environment(staff_api):
    ClusterSettings.objects.create(policy="random")

    answer = staff_api.patch("/api/v1/cluster", {"policy": ""}, format="json")

    assert (answer.json()["policy"], answer.json()["policy_set_by"]) == ("pull", "environment")


def test_policy_that_is_gone_counts_as_none(alice_api, db):
    ClusterSettings.objects.create(policy="fastest_of_all")

    body = alice_api.get("/api/v1/cluster").json()

    assert (body["policy"], body["policy_set_by"]) == ("pull", "environment")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"policy": "fastest"}, "policy"), ({"policy": None}, "policy"), ({"strategy": "random"}, "strategy")],
)
def test_policy_that_is_none_is_refused(staff_api, body, field):
    answer = staff_api.patch("/api/v1/cluster", body, format="json")

    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not ClusterSettings.objects.exists()


def test_staff_cordon_and_weigh_a_node(staff_api, node, caplog):
    with caplog.at_level(logging.INFO, "audit"):
        answer = staff_api.patch("/api/v1/nodes/node-1", {"cordoned": True, "weight": 3}, format="json")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["weight"]) == ("cordoned", 3)
    node.refresh_from_db()
    assert (node.cordoned, node.weight) == (True, 3)
    assert caplog.messages == ["staff@example.org changed node-1: cordoned=True, weight=3"]


def test_nothing_to_change_is_no_error_and_not_logged(staff_api, node, caplog):
    with caplog.at_level(logging.INFO, "audit"):
        answer = staff_api.patch("/api/v1/nodes/node-1", {"weight": 1}, format="json")

    assert answer.status_code == 200
    assert caplog.messages == []


@pytest.mark.parametrize("weight", [-1, 101, 1.5, "heavy", None])
def test_weight_out_of_bounds_is_refused(staff_api, node, weight):
    body = {"weight": weight, "cordoned": True}

    answer = staff_api.patch("/api/v1/nodes/node-1", body, format="json")

    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == ["weight"]
    node.refresh_from_db()
    assert (node.cordoned, node.weight) == (False, 1)


@pytest.mark.parametrize(
    ("path", "body"), [("nodes/node-1", {"weight": "4"}), ("cluster", {"policy": "random"})]
)
def test_forms_are_not_taken(staff_api, db, path, body):
    """An unchecked box isn't sent by a form, so a form can't tell "no" from "not asked"."""
    node = make_node("node-1", cordoned=True)

    answer = staff_api.patch(f"/api/v1/{path}", body, format="multipart")

    assert answer.status_code == 415
    node.refresh_from_db()
    assert (node.cordoned, node.weight) == (True, 1)
    assert not ClusterSettings.objects.exists()


def test_unknown_node_is_not_found(staff_api, db):
    assert staff_api.patch("/api/v1/nodes/a%00b", {"weight": 2}, format="json").status_code == 404
    assert staff_api.patch("/api/v1/nodes/node-9", {"weight": 2}, format="json").status_code == 404
    assert staff_api.delete("/api/v1/nodes/node-9").status_code == 404


def test_staff_forget_a_lost_node(staff_api, db):
    make_node("node-1", state=Node.State.LOST)

    assert staff_api.delete("/api/v1/nodes/node-1").status_code == 204
    assert not Node.objects.exists()


def test_node_that_is_alive_is_not_forgotten(staff_api, node):
    answer = staff_api.delete("/api/v1/nodes/node-1")

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "alive"
    assert Node.objects.count() == 1


LOOKS = [("get", "/api/v1/nodes", None), ("get", "/api/v1/cluster", None)]
CHANGES = [
    ("patch", "/api/v1/cluster", {"policy": "random"}),
    ("patch", "/api/v1/nodes/node-1", {"cordoned": True, "weight": 9}),
    ("delete", "/api/v1/nodes/node-1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_users_may_not_change_anything(alice_api, db, method, path, body):
    make_node("node-1", state=Node.State.LOST)

    answer = getattr(alice_api, method)(path, body, format="json")

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "permission_denied"
    assert Node.objects.filter(name="node-1", cordoned=False, weight=1).exists()
    assert not ClusterSettings.objects.exists()


@pytest.mark.parametrize(("method", "path", "body"), [*CHANGES, *LOOKS])
def test_strangers_see_and_change_nothing(charlie_api, db, method, path, body):
    make_node("node-1", state=Node.State.LOST)

    answer = getattr(charlie_api, method)(path, body, format="json")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert Node.objects.filter(name="node-1", cordoned=False, weight=1).exists()
    assert not ClusterSettings.objects.exists()


def test_non_staff_learn_nothing_from_asking_for_a_node(alice_api, node):
    """The same answer for a node that is there and one that isn't."""
    answers = [alice_api.patch(f"/api/v1/nodes/{name}", {}, format="json") for name in ("node-1", "node-9")]

    assert [answer.status_code for answer in answers] == [403, 403]
