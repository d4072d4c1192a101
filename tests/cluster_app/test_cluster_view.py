"""`/cluster/`: nodes, their load and what staff can do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.cluster.models import ClusterSettings, LentSlot, Node, NodeSample
from tests.cluster_app.factories import make_job, make_node, make_placement


@pytest.fixture
def node(db) -> Node:
    return make_node("node-1", slots=2, speed=120, last_seen=timezone.now())


def history(node: str, *loads: int, slots: int = 2, images: int = 3) -> None:
    """Samples five seconds apart, the last one now."""
    now = timezone.now()
    NodeSample.objects.bulk_create(
        NodeSample(
            node=node,
            time=now - timedelta(seconds=5 * (len(loads) - 1 - index)),
            active=load,
            slots=slots,
            images=images,
        )
        for index, load in enumerate(loads)
    )


def test_page_shows_nodes_with_their_load(alice_web, bob, node):
    make_placement(make_job(bob, folder_name="Bob's secret"), "node-1")
    history("node-1", 0, 2, 1)

    answer = alice_web.get("/cluster/")

    html = answer.content.decode()
    assert answer.status_code == 200
    assert "node-1" in html
    assert "Load of node-1 over the last 15 minutes: 50 percent of its slots on average" in html
    assert "another person’s job" in html
    assert "secret" not in html, "whose folder is worked on is nobody's business"


def test_page_says_why_the_cluster_gives_a_node_no_work(alice_web, node):
    Node.objects.update(engine="kubernetes", closed="cordoned in Kubernetes")

    html = alice_web.get("/cluster/").content.decode()

    assert "No new work: cordoned in Kubernetes." in html
    assert "1 Mpixel/s" not in html, "nobody has measured it"


def test_own_job_is_linked(alice_web, alice, node):
    job = make_job(alice)
    make_placement(job, "node-1")

    html = alice_web.get("/cluster/").content.decode()

    assert f'<a href="/jobs/{job.id}/">Black &amp; white over Holiday</a>' in html


@pytest.mark.parametrize("path", ["/cluster/", "/cluster/live/"])
def test_queries_do_not_grow_with_nodes(alice_web, alice, path, django_assert_max_num_queries):
    for number in range(20):
        make_node(f"node-{number}", last_seen=timezone.now())
        make_placement(make_job(alice), f"node-{number}")
        history(f"node-{number}", 1, 0, 1)

    # session and user; nodes with their work, workers with their jobs, samples; the page: the policy
    with django_assert_max_num_queries(7 if path == "/cluster/" else 6):
        assert alice_web.get(path).status_code == 200


def test_no_node_says_what_to_do(alice_web):
    html = alice_web.get("/cluster/").content.decode()

    assert "No node is alive." in html
    assert "<code>make run</code>" in html


def test_lost_nodes_alone_are_no_nodes(alice_web, db):
    make_node("node-1", state=Node.State.LOST, last_seen=timezone.now() - timedelta(hours=2))

    html = alice_web.get("/cluster/").content.decode()

    assert "No node is alive." in html
    assert "Its work was given to others." in html


def test_controller_that_looks_no_more_is_told(alice_web, node):
    Node.objects.update(last_seen=timezone.now() - timedelta(seconds=200))

    html = alice_web.get("/cluster/").content.decode()

    assert "Nobody has looked at the nodes for 3 min 20 s." in html
    assert ">unknown<" in html
    assert ">ready<" not in html


def test_live_part_brings_the_table_along(alice_web, node):
    html = alice_web.get("/cluster/live/").content.decode()

    assert html.lstrip().startswith('<section id="cluster-live"')
    assert '<div id="node-table"' in html
    assert 'hx-swap-oob="true"' in html


def test_users_get_no_controls(alice_web, node):
    html = alice_web.get("/cluster/").content.decode()

    assert "/cluster/nodes/node-1/" not in html
    assert 'name="policy"' not in html
    assert "pull" in html


def test_staff_get_controls(staff_web, node):
    html = staff_web.get("/cluster/").content.decode()

    assert 'hx-post="/cluster/nodes/node-1/"' in html
    assert html.count('type="radio" name="policy"') == 11


def test_staff_choose_the_policy(staff_web):
    answer = staff_web.post("/cluster/policy/", {"policy": "random"}, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert 'value="random" checked' in answer.content.decode()
    assert answer["HX-Trigger"] == '{"toast": {"text": "New work is now spread by random.", "level": "good"}}'
    assert ClusterSettings.objects.get().policy == "random"


def test_policy_that_is_none_changes_nothing(staff_web):
    answer = staff_web.post("/cluster/policy/", {"policy": "fastest"}, headers={"HX-Request": "true"})

    assert '"level": "bad"' in answer["HX-Trigger"]
    assert not ClusterSettings.objects.exists()


@pytest.mark.parametrize(
    ("sent", "said", "cordoned", "weight"),
    [
        ({"action": "cordon"}, "node-1 gets no new work. It finishes what it has.", True, 1),
        ({"action": "uncordon"}, "node-1 gets work again.", False, 1),
        ({"action": "weight", "weight": "7"}, "The weight of node-1 is 7.", False, 7),
        ({"action": "weight", "weight": "700"}, "weight must be between 0 and 100", False, 1),
        ({"action": "weight", "weight": "-1"}, "weight must be between 0 and 100", False, 1),
        ({"action": "weight"}, "weight must be between 0 and 100", False, 1),
        ({"action": "forget"}, "node-1 is alive.", False, 1),
    ],
)
def test_staff_steer_a_node(staff_web, node, sent, said, cordoned, weight):
    answer = staff_web.post("/cluster/nodes/node-1/", sent, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert said in answer["HX-Trigger"]
    node.refresh_from_db()
    assert (node.cordoned, node.weight) == (cordoned, weight)


def test_without_script_the_page_comes_again_with_a_message(staff_web, node):
    answer = staff_web.post("/cluster/nodes/node-1/", {"action": "cordon"}, follow=True)

    assert answer.redirect_chain == [("/cluster/", 302)]
    assert "node-1 gets no new work. It finishes what it has." in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/cluster/policy/", {"policy": "random"}), ("/cluster/nodes/node-1/", {"action": "cordon"})],
)
def test_only_staff_steer(alice_web, charlie_web, node, path, sent):
    assert alice_web.post(path, sent).status_code == 403
    stranger = charlie_web.post(path, sent)

    assert stranger.status_code == 302
    assert stranger["Location"].startswith("/account/login/")
    node.refresh_from_db()
    assert not node.cordoned
    assert not ClusterSettings.objects.exists()


@pytest.mark.parametrize("path", ["/cluster/", "/cluster/live/"])
def test_strangers_are_sent_to_the_login(charlie_web, path):
    answer = charlie_web.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")


def test_a_benchmark_is_named_and_its_slot_is_busy(alice_web, node):
    LentSlot.objects.create(
        worker="benchmark-1-1",
        job="benchmark-1",
        owner="benchmarks",
        processor="blackwhite",
        node=node.name,
        placed=timezone.now(),
        until=timezone.now() + timedelta(minutes=1),
    )

    page = alice_web.get("/cluster/").content.decode()

    assert '<a href="/benchmarks/">Benchmark</a>' in page
    assert '<span class="mono">1</span> of' in page
    assert "another person" not in page
