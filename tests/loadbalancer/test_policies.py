"""What each policy chooses, by example."""

from __future__ import annotations

from collections import Counter
from math import e, inf, nan
from random import Random

import pytest

from loadbalancer import registry
from loadbalancer.latency import peak_ewma
from loadbalancer.policies.weighted_round_robin import LONGEST_CYCLE, reduced, smooth_cycle
from loadbalancer.policy import NodeView


def picks(name: str, nodes: list[NodeView], turns: int, seed: int = 1) -> str:
    """Names of the chosen nodes, one letter each, with nothing changing between the turns."""
    policy, rng = registry.get(name), Random(seed)
    return "".join(policy.choose(nodes, turn, rng).name for turn in range(turns))


class TestRoundRobin:
    policy = registry.get("round_robin")

    def test_goes_around(self):
        assert picks("round_robin", [NodeView("a"), NodeView("b", active=9), NodeView("c")], 7) == "abcabca"

    def test_goes_on_where_the_turn_says_when_nodes_come_and_go(self):
        two, three = [NodeView("a"), NodeView("b")], [NodeView("a"), NodeView("b"), NodeView("c")]

        chosen = [
            self.policy.choose(nodes, turn, Random(1)).name for turn, nodes in enumerate((two, three, two))
        ]

        assert chosen == ["a", "b", "a"]

    def test_turn_may_be_as_large_as_a_counter_gets(self):
        assert self.policy.choose([NodeView("a"), NodeView("b")], 2**63 - 1, Random(1)).name == "b"


class TestWeightedRoundRobin:
    policy = registry.get("weighted_round_robin")

    def test_spreads_turns_as_nginx_does(self):
        nodes = [NodeView("a", weight=5), NodeView("b"), NodeView("c")]

        assert picks("weighted_round_robin", nodes, 14) == "aabacaaaabacaa"

    def test_equal_weights_are_plain_rotation(self):
        assert picks("weighted_round_robin", [NodeView(n, weight=7) for n in "abc"], 6) == "abcabc"

    def test_weight_zero_gets_nothing(self):
        assert picks("weighted_round_robin", [NodeView("a", weight=0), NodeView("b")], 4) == "bbbb"

    def test_all_zero_is_all_equal(self):
        assert picks("weighted_round_robin", [NodeView("a", weight=0), NodeView("b", weight=0)], 4) == "abab"

    @pytest.mark.parametrize(
        ("weights", "small"),
        [((4, 2), (2, 1)), ((0, 6), (0, 1)), ((3, 5), (3, 5)), ((0, 0), (1, 1)), ((-3, 4), (0, 1))],
    )
    def test_weights_are_reduced(self, weights, small):
        assert reduced(weights) == small

    def test_huge_weights_are_rounded_to_a_bounded_cycle(self):
        weights = reduced((1_000_003, 500_009, 1))

        assert weights == (666, 333, 1)
        assert len(smooth_cycle(weights)) == LONGEST_CYCLE


class TestLeastConnections:
    policy = registry.get("least_connections")

    def test_takes_the_idlest(self):
        nodes = [NodeView("a", active=2), NodeView("b", active=1), NodeView("c", active=3)]

        assert picks("least_connections", nodes, 4) == "bbbb"

    def test_equals_take_turns(self):
        nodes = [NodeView("a", active=1), NodeView("b", active=5), NodeView("c", active=1)]

        assert picks("least_connections", nodes, 4) == "acac"


class TestWeightedLeastConnections:
    policy = registry.get("weighted_least_connections")

    def test_compares_load_for_its_weight(self):
        nodes = [NodeView("a", active=3, weight=4), NodeView("b", active=1, weight=1)]  # 1 and 2

        assert picks("weighted_least_connections", nodes, 3) == "aaa"

    def test_idle_nodes_differ_by_weight(self):
        assert picks("weighted_least_connections", [NodeView("a"), NodeView("b", weight=2)], 3) == "bbb"

    def test_equals_take_turns(self):
        nodes = [NodeView("a", active=1, weight=2), NodeView("b", active=0, weight=1)]  # 1 and 1

        assert picks("weighted_least_connections", nodes, 4) == "abab"

    def test_weight_zero_comes_last(self):
        nodes = [NodeView("a", weight=0), NodeView("b", active=99)]

        assert picks("weighted_least_connections", nodes, 2) == "bb"
        assert picks("weighted_least_connections", nodes[:1], 2) == "aa"


class TestShortestExpectedDelay:
    policy = registry.get("shortest_expected_delay")

    def test_takes_who_would_be_done_first(self):
        nodes = [NodeView("a", active=0, speed=10.0), NodeView("b", active=2, speed=40.0)]  # 0.1 and 0.075

        assert picks("shortest_expected_delay", nodes, 2) == "bb"

    def test_equals_take_turns(self):
        nodes = [NodeView("a", active=0, speed=1.0), NodeView("b", active=1, speed=2.0)]

        assert picks("shortest_expected_delay", nodes, 4) == "abab"

    @pytest.mark.parametrize("speed", [0.0, -1.0, nan])
    def test_speed_that_makes_no_sense_comes_last(self, speed):
        nodes = [NodeView("a", speed=speed), NodeView("b", active=50, speed=0.5)]

        assert picks("shortest_expected_delay", nodes, 2) == "bb"
        assert picks("shortest_expected_delay", nodes[:1], 2) == "aa"

    def test_infinite_speed_is_no_error(self):
        assert picks("shortest_expected_delay", [NodeView("a", speed=inf), NodeView("b")], 1) == "a"


class TestPowerOfTwo:
    policy = registry.get("power_of_two")

    def test_of_two_nodes_it_takes_the_idler(self):
        assert picks("power_of_two", [NodeView("a", active=1), NodeView("b")], 20) == "b" * 20

    def test_the_busiest_of_many_is_never_taken(self):
        nodes = [NodeView(name, active=index) for index, name in enumerate("abcde")]

        counts = Counter(picks("power_of_two", nodes, 1000))

        assert set(counts) == set("abcd")  # e loses every comparison
        assert counts["a"] > counts["b"] > counts["c"] > counts["d"]  # 4, 3, 2, 1 of 10 pairs

    def test_one_node_needs_no_draw(self):
        assert picks("power_of_two", [NodeView("a")], 3) == "aaa"


class TestRandom:
    policy = registry.get("random")

    def test_each_is_as_likely(self):
        counts = Counter(picks("random", [NodeView(n, active=i) for i, n in enumerate("abcd")], 4000))

        assert set(counts) == set("abcd")
        assert all(900 <= count <= 1100 for count in counts.values())  # 3.6 standard deviations, seeded

    def test_seed_decides(self):
        nodes = [NodeView(n) for n in "abcd"]

        assert picks("random", nodes, 30, seed=7) == picks("random", nodes, 30, seed=7)
        assert picks("random", nodes, 30, seed=7) != picks("random", nodes, 30, seed=8)


class TestJoinIdleQueue:
    policy = registry.get("join_idle_queue")

    def test_takes_the_one_idle_for_longest(self):
        nodes = [NodeView("a", idle_since=5.0), NodeView("b", idle_since=2.0), NodeView("c", active=1)]

        assert picks("join_idle_queue", nodes, 3) == "bbb"

    def test_a_free_slot_is_idle(self):
        nodes = [NodeView("a", active=1), NodeView("b", slots=4, active=3)]

        assert picks("join_idle_queue", nodes, 3) == "bbb"

    def test_without_times_the_idle_take_turns(self):
        assert picks("join_idle_queue", [NodeView("a"), NodeView("b", active=1), NodeView("c")], 4) == "acac"

    def test_when_all_are_busy_chance_decides(self):
        nodes = [NodeView(name, active=index + 1) for index, name in enumerate("abcd")]

        counts = Counter(picks("join_idle_queue", nodes, 4000))

        assert all(900 <= counts[name] <= 1100 for name in "abcd")


class TestPeakEwma:
    policy = registry.get("peak_ewma")

    def test_weighs_work_in_hand_with_latency(self):
        nodes = [NodeView("a", active=1, latency=0.2), NodeView("b", active=0, latency=0.5)]  # 0.4 and 0.5

        assert picks("peak_ewma", nodes, 2) == "aa"

    def test_unknown_node_is_tried_once(self):
        nodes = [NodeView("a", latency=0.001), NodeView("b")]

        assert picks("peak_ewma", nodes, 2) == "bb"
        assert picks("peak_ewma", [nodes[0], NodeView("b", active=1)], 2) == "aa"

    def test_without_latencies_it_is_the_least_work_in_hand(self):
        nodes = [NodeView("a", active=2), NodeView("b", active=1), NodeView("c", active=1)]

        assert picks("peak_ewma", nodes, 4) == "bcbc"

    def test_average_jumps_up_and_comes_down_slowly(self):
        assert peak_ewma(0.0, 0.3, elapsed=0.0) == 0.3
        assert peak_ewma(0.3, 2.0, elapsed=0.1) == 2.0
        assert peak_ewma(2.0, 1.0, elapsed=10.0, tau=10.0) == pytest.approx(1 + 1 / e)
        assert peak_ewma(2.0, 1.0, elapsed=0.0) == 2.0


class TestPull:
    policy = registry.get("pull")

    def test_workers_go_to_the_emptiest_node(self):
        nodes = [NodeView("a", slots=2, active=1), NodeView("b", slots=8, active=2), NodeView("c", active=1)]

        assert picks("pull", nodes, 2) == "bb"

    def test_of_equally_empty_nodes_the_fastest(self):
        assert picks("pull", [NodeView("a"), NodeView("b", speed=4.0), NodeView("c", speed=2.0)], 2) == "bb"

    def test_equals_take_turns(self):
        assert picks("pull", [NodeView("a"), NodeView("b"), NodeView("c", active=1)], 4) == "abab"


class TestScheduler:
    def test_stands_for_the_emptiest_node(self):
        nodes = [NodeView("a", slots=2, active=1), NodeView("b", slots=8, active=2), NodeView("c", active=1)]

        assert picks("scheduler", nodes, 3) == "bbb"

    def test_equals_by_chance(self):
        nodes = [NodeView("a"), NodeView("b"), NodeView("c", active=1)]

        assert set(picks("scheduler", nodes, 30)) == {"a", "b"}

    def test_is_for_one_engine(self):
        assert registry.get("scheduler").engine == "kubernetes"
        assert {registry.get(name).engine for name in registry.names() if name != "scheduler"} == {""}
