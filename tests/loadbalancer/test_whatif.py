"""Which policy, and how many nodes."""

from __future__ import annotations

import pytest

from loadbalancer import registry
from loadbalancer.simulator.whatif import best_policies, nodes_needed
from loadbalancer.workload import NodeSpec, folder, node_mix, open_loop

WORKER = NodeSpec("any")


@pytest.mark.parametrize(("seconds", "nodes"), [(100.0, 1), (99.0, 2), (50.0, 2), (10.0, 10), (1.0, 100)])
def test_equal_images_need_as_many_nodes_as_arithmetic_says(seconds: float, nodes: int):
    answer = nodes_needed(folder(100, sizes="equal"), WORKER, "pull", seconds=seconds)

    assert answer is not None and answer.nodes == nodes
    assert answer.measures.makespan <= seconds


@pytest.mark.parametrize("policy", ["round_robin", "pull"])
def test_answer_does_and_one_less_does_not(policy: str):
    trace = folder(120, sizes="heavy", seed=3)

    answer = nodes_needed(trace, WORKER, policy, seconds=40.0)

    assert answer is not None and answer.measures.makespan <= 40.0
    fewer = nodes_needed(trace, WORKER, policy, seconds=40.0, most=answer.nodes - 1)
    assert fewer is None


def test_what_no_number_of_nodes_can_do_is_none():
    trace = folder(10, sizes="equal", mean=5.0)

    assert nodes_needed(trace, WORKER, "pull", seconds=4.9) is None
    assert nodes_needed(trace, WORKER, "pull", seconds=0.0) is None
    assert nodes_needed(trace, WORKER, "pull", seconds=5.0, most=9) is None


def test_time_of_single_images_can_be_asked_for():
    trace = open_loop(400, rate=2.0, sizes="exponential", seed=1)

    answer = nodes_needed(trace, WORKER, "pull", seconds=6.0, goal="sojourn_p99")

    assert answer is not None and answer.nodes >= 3  # two are busy all the time
    assert answer.measures.sojourn_p99 <= 6.0


def test_policies_come_best_first():
    answers = best_policies(folder(100, seed=2), node_mix("4:2:1"), registry.names())

    assert answers[0].policy == "pull" and len(answers) == len(registry.names())
    spans = [answer.measures.makespan for answer in answers]
    assert spans == sorted(spans)


def test_unknown_goal_is_an_error():
    with pytest.raises(KeyError):
        best_policies(folder(1), node_mix("1"), ["pull"], goal="beauty")
