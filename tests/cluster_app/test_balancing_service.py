"""Choosing a node: turns shared by all processes, and what happens without the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from django.core.cache import cache
from django.core.checks.registry import registry as registry_of_checks

from apps.cluster.checks import check_kubernetes, check_policy
from apps.cluster.models import ClusterSettings
from apps.cluster.queries import node_views
from apps.cluster.services import balancing
from loadbalancer import registry
from loadbalancer.policy import NodeView
from marketplace.api import ApiError
from tests.cluster_app.factories import make_job, make_node, make_placement

ROOT = Path(__file__).resolve().parents[2]
BY_CHANCE = {"random", "power_of_two", "scheduler"}
VIEWS = [NodeView("node-2"), NodeView("node-1"), NodeView("node-3")]


def chosen(times: int, scope: str = "jobs", policy: str | None = "round_robin") -> list[str]:
    return [balancing.choose(VIEWS, scope, policy).name for _ in range(times)]


def test_rotation_goes_by_name_and_never_skips():
    assert chosen(7) == ["node-1", "node-2", "node-3", "node-1", "node-2", "node-3", "node-1"]


def test_jobs_and_previews_rotate_apart():
    assert chosen(2, "jobs") == ["node-1", "node-2"]
    assert chosen(2, "previews") == ["node-1", "node-2"]
    assert chosen(1, "jobs") == ["node-3"]


def test_a_round_chooses_as_single_choices_do_and_fills_the_nodes():
    views = [NodeView("node-1", slots=2), NodeView("node-2", slots=3, active=1), NodeView("node-3", active=1)]
    for policy in sorted(set(registry.names()) - BY_CHANCE - {"weighted_round_robin"}):
        cache.clear()
        choices, left, found = balancing.Choices(views, "round", 4), {view.name: view for view in views}, []
        for turn in range(4):
            free = [view for view in left.values() if view.active < view.slots]
            expected = registry.get(policy).choose(free, turn, Random(1))
            found.append(choices.choose(policy).name)
            assert found[-1] == expected.name, policy
            choices.take(expected.name)
            left[expected.name] = replace(expected, active=expected.active + 1)

        assert sorted(found) == ["node-1", "node-1", "node-2", "node-2"]
        assert not choices.free
        with pytest.raises(ValueError, match="no node to choose from"):
            choices.choose(policy)


def test_a_weighted_rotation_passes_over_who_is_full():
    views = [NodeView("a", slots=9, weight=2), NodeView("b", slots=1, weight=1), NodeView("c", 1, weight=0)]
    choices, found = balancing.Choices(views, "weighted", 6), []
    for _ in range(11):
        found.append(choices.choose("weighted_round_robin").name)
        choices.take(found[-1])

    assert found == ["a", "b", *"aaaaaaaa", "c"]  # a b a without b's later turns; c when nobody else is left


def test_a_round_takes_its_turns_at_once_and_shares_the_rotation():
    first = balancing.Choices(VIEWS, "shared", 2)
    second = balancing.Choices(VIEWS, "shared", 1)

    assert [first.choose("round_robin").name for _ in range(2)] == ["node-1", "node-2"]
    assert second.choose("round_robin").name == "node-3"
    assert second.choose("round_robin").name == "node-1"  # one more than was said


def test_a_node_that_is_avoided_is_chosen_when_there_is_no_other():
    choices = balancing.Choices(VIEWS, "avoiding", 3)

    assert choices.choose("pull", {"node-1", "node-3"}).name == "node-2"
    choices.take("node-2")
    assert choices.choose("pull", {"node-1", "node-3"}).name in {"node-1", "node-3"}


def test_rotation_starts_anew_when_the_cache_was_emptied():
    chosen(2)

    cache.clear()

    assert chosen(1) == ["node-1"]


def test_nothing_to_choose_from_is_a_programming_error():
    with pytest.raises(ValueError, match="there is no node to choose from"):
        balancing.choose([], "jobs", "round_robin")


def test_without_a_policy_the_current_one_decides(db, settings):
    settings.BALANCING_POLICY = "random"
    ClusterSettings.objects.create(policy="round_robin")

    assert chosen(4, policy=None) == ["node-1", "node-2", "node-3", "node-1"]


def test_policy_of_an_old_job_that_is_gone_gives_way(db, settings):
    settings.BALANCING_POLICY = "round_robin"

    assert chosen(3, policy="fastest_of_all") == ["node-1", "node-2", "node-3"]


def test_work_goes_on_without_the_cache(settings, caplog):
    nobody = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": nobody}

    names = chosen(60)

    assert set(names) == {"node-1", "node-2", "node-3"}
    assert "the rotation of jobs is interrupted" in caplog.text


PROGRAM = """
import django
django.setup()
from apps.cluster.services import balancing
from loadbalancer.policy import NodeView
views = [NodeView(f"node-{n}") for n in range(1, 4)]
print("ready", flush=True)
input()
for _ in range(100):
    print(balancing.choose(views, "previews", "round_robin").name, flush=True)
"""


def test_rotation_is_exact_across_processes(empty_redis, settings, tmp_path):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        "DEBUG": "true",
        "REDIS_URL": empty_redis,
        "DATA_DIR": str(tmp_path),
    }
    shared = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": empty_redis}
    settings.CACHES = {"default": shared}
    command = [sys.executable, "-c", PROGRAM]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("\n")
        other.stdin.flush()
        names = chosen(100, "previews")
        names += other.communicate(timeout=30)[0].split()
    cache.close()

    assert Counter(names) == {"node-1": 67, "node-2": 67, "node-3": 66}


def test_views_are_the_nodes_that_may_get_work(alice, django_assert_num_queries):
    make_node("node-2", slots=2, weight=3, speed=80.0)
    make_node("node-1")
    make_node("node-3", cordoned=True)
    make_node("node-4", state="lost")
    job = make_job(alice)
    make_placement(job, "node-2")
    make_placement(job, "node-2", state="placed")
    make_placement(job, "node-2", state="exited")
    make_placement(job, "node-4")

    with django_assert_num_queries(1):
        views = node_views()

    assert views == [NodeView("node-1"), NodeView("node-2", slots=2, active=2, weight=3, speed=80.0)]


def test_bad_policy_in_the_environment_is_one_clear_line(settings):
    settings.BALANCING_POLICY = "fastest"
    assert check_policy in registry_of_checks.get_checks()

    errors = check_policy(None)

    known = ", ".join(name for name in registry.names() if name != "scheduler")
    assert [error.msg for error in errors] == [f"BALANCING_POLICY must be one of {known}, not 'fastest'"]


def test_good_policy_passes_the_check(settings):
    settings.BALANCING_POLICY = "random"

    assert check_policy(None) == []


def test_policy_of_another_engine_is_not_offered_and_refused_in_words(settings, staff, alice):
    settings.ENGINE = "celery"

    assert "scheduler" not in balancing.policy_names()
    with pytest.raises(ApiError) as caught:
        balancing.set_policy(staff, "scheduler")
    assert caught.value.fields["policy"][0].startswith(
        "scheduler needs ENGINE=kubernetes; here it must be one"
    )
    assert balancing.policy_setting() == ""
    settings.BALANCING_POLICY = "scheduler"
    assert [error.msg.partition(";")[0] for error in check_policy(None)] == [
        "BALANCING_POLICY: scheduler needs ENGINE=kubernetes"
    ]


def test_choice_is_left_to_the_engine_where_it_can_choose(settings, db):
    settings.ENGINE = "kubernetes"
    assert balancing.is_left_to_the_engine("scheduler")
    assert check_policy(None) == []

    settings.ENGINE = "celery"  # changed since the job was submitted
    assert not balancing.is_left_to_the_engine("scheduler")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("KUBE_WORKER_CPU", "one", "KUBE_WORKER_CPU must be an amount"),
        ("KUBE_WORKER_MEMORY", "0", "KUBE_WORKER_MEMORY must be an amount"),
        ("KUBE_NAMESPACE", "Jobs", "KUBE_NAMESPACE must be small letters"),
        ("KUBE_VOLUME_CLAIM", "", "KUBE_VOLUME_CLAIM must be small letters"),
        ("KUBE_IMAGE", " ", "KUBE_IMAGE must name an image"),
    ],
)
def test_bad_settings_of_the_cluster_are_one_clear_line(settings, setting, value, said):
    settings.ENGINE = "kubernetes"
    assert check_kubernetes(None) == []
    setattr(settings, setting, value)

    errors = check_kubernetes(None)

    assert len(errors) == 1 and errors[0].msg.startswith(said)
    settings.ENGINE = "celery"
    assert check_kubernetes(None) == []
