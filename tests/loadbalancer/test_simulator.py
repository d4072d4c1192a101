"""The simulation against theory and against what must hold for any trace."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import factorial, inf
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobfolder import ChunkImage, plan_chunks
from loadbalancer import registry
from loadbalancer.report.measures import lower_bound, measure
from loadbalancer.simulator import simulate
from loadbalancer.simulator.chunks import cut
from loadbalancer.workload import SIZES, NodeSpec, Outage, Task, folder, node_mix, open_loop, rate_for

every_policy = pytest.mark.parametrize("policy", registry.names())


def erlang_c(servers: int, load: float) -> float:
    """The part of arrivals that wait in an M/M/c queue. A. K. Erlang, 1917. `load`: of a server, below 1."""
    offered = servers * load
    waiting = offered**servers / factorial(servers) / (1 - load)
    return waiting / (sum(offered**k / factorial(k) for k in range(servers)) + waiting)


@st.composite
def clusters(draw: st.DrawFn) -> list[NodeSpec]:
    nodes = []
    for number in range(draw(st.integers(1, 4))):
        times = sorted(draw(st.lists(st.floats(0, 60), max_size=4, unique=True)))
        pairs = zip(times[::2], times[1::2], strict=False)
        nodes.append(
            NodeSpec(
                f"n{number}",
                speed=draw(st.sampled_from([0.5, 1.0, 3.0])),
                slots=draw(st.integers(1, 3)),
                startup=draw(st.sampled_from([0.0, 2.0])),
                cold=draw(st.sampled_from([0.0, 1.5])),
                outages=tuple(Outage(start, end) for start, end in pairs),
            )
        )
    return nodes


@every_policy
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    nodes=clusters(),
    sizes=st.sampled_from(sorted(SIZES)),
    chunk=st.sampled_from([0.0, 2.0]),
    seed=st.integers(0, 99),
)
def test_every_image_is_done_once_whatever_dies(policy, nodes, sizes: str, chunk: float, seed: int):
    trace = open_loop(20, rate=1.0, images=3, sizes=sizes, seed=seed)

    outcome = simulate(trace, nodes, policy, seed=seed, chunk_seconds=chunk)

    assert outcome.unfinished == ()
    assert [record.task for record in outcome.records] == [task.id for task in trace]
    slots = {node.name: node.slots for node in nodes}
    for record, task in zip(outcome.records, trace, strict=True):
        assert task.arrival <= record.placed <= record.start <= record.end
    for node in nodes:
        mine = [record for record in outcome.records if record.node == node.name]
        steps = sorted([(r.start, 1) for r in mine] + [(r.end, -1) for r in mine])
        at_once = 0
        for _, step in steps:
            at_once += step
            assert at_once <= slots[node.name]
        useful = sum(record.end - record.start for record in mine)
        assert outcome.busy[node.name] == pytest.approx(useful + outcome.wasted[node.name])
        for dead in node.outages:
            assert not any(r.start < dead.end and r.end > dead.start for r in mine), "work on a dead node"


@every_policy
def test_same_seed_gives_the_same_outcome(policy: str):
    nodes = [replace(node, outages=(Outage(20.0, 30.0),)) for node in node_mix("2:1:1")]
    trace = open_loop(120, rate=3.0, sizes="heavy", seed=4)

    assert simulate(trace, nodes, policy, seed=7) == simulate(trace, nodes, policy, seed=7)


def test_another_seed_gives_another_trace():
    assert folder(5, seed=1) == folder(5, seed=1) != folder(5, seed=2)


@pytest.mark.parametrize("sizes", sorted(SIZES))
def test_sizes_have_the_mean_one(sizes: str):
    assert fmean(task.work for task in folder(40_000, sizes=sizes, seed=3)) == pytest.approx(1, rel=0.04)


def test_one_server_waits_as_theory_says():
    """M/M/1: mean waiting ρ / (μ − λ)."""
    trace = open_loop(30_000, rate=0.6, sizes="exponential", seed=2)

    outcome = simulate(trace, node_mix("1"), "round_robin")

    assert fmean(record.waiting for record in outcome.records) == pytest.approx(0.6 / 0.4, rel=0.08)


@pytest.mark.parametrize("nodes", ["1:1:1:1", "1"], ids=["four nodes of one slot", "one node of four slots"])
def test_several_servers_wait_as_theory_says(nodes: str):
    """M/M/4 with one queue, as `pull` keeps it: mean waiting C(c, ρ) / (c μ − λ)."""
    trace = open_loop(30_000, rate=3.0, sizes="exponential", seed=5)

    outcome = simulate(trace, node_mix(nodes, slots=1 if ":" in nodes else 4), "pull")

    expected = erlang_c(4, 0.75) / (4 - 3)
    assert fmean(record.waiting for record in outcome.records) == pytest.approx(expected, rel=0.1)
    assert fmean(record.waiting > 1e-12 for record in outcome.records) == pytest.approx(
        erlang_c(4, 0.75), rel=0.05
    )


def test_constant_work_waits_half_as_long():
    """M/D/1 by Pollaczek and Khinchine: half the waiting of M/M/1."""
    trace = open_loop(30_000, rate=0.6, sizes="equal", seed=6)

    outcome = simulate(trace, node_mix("1"), "least_connections")

    assert fmean(record.waiting for record in outcome.records) == pytest.approx(0.75, rel=0.06)


def test_round_robin_rotates_exactly():
    outcome = simulate(folder(10, seed=1), node_mix("4:2:1"), "round_robin")

    assert [record.node for record in outcome.records] == ["node-1", "node-2", "node-3"] * 3 + ["node-1"]


def test_weighted_round_robin_gives_each_its_weight():
    outcome = simulate(folder(70), node_mix("4:2:1"), "weighted_round_robin")

    assert Counter(r.node for r in outcome.records) == {"node-1": 40, "node-2": 20, "node-3": 10}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    mix=st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=5),
    sizes=st.sampled_from(sorted(SIZES)),
    images=st.integers(1, 80),
    seed=st.integers(0, 99),
    chunk=st.sampled_from([0.0, 2.0]),
)
def test_pull_ends_within_a_chunk_of_the_lower_bound(mix, sizes: str, images: int, seed: int, chunk: float):
    """Nobody is idle while something waits, so all have worked until the last chunk is fetched: the end is
    at most the ideal time and one chunk on the slowest node later."""
    nodes, trace = node_mix(":".join(map(str, mix))), folder(images, sizes=sizes, seed=seed)

    outcome = simulate(trace, nodes, "pull", chunk_seconds=chunk)

    bound, found = lower_bound(trace, nodes), measure(outcome, trace).makespan
    longest = max(sum(task.work for task in piece) for piece in cut(trace, chunk, len(nodes)))
    assert bound - 1e-9 <= found <= bound + longest / min(mix) + 1e-9


def test_dead_nodes_work_is_done_by_others_after_it_is_noticed():
    """Ten seconds of work on each of two nodes; the first dies after three seconds for good."""
    trace = (Task(0, 0, 0.0, 10.0), Task(1, 0, 0.0, 10.0))
    nodes = [NodeSpec("node-1", outages=(Outage(3.0, inf),)), NodeSpec("node-2")]

    outcome = simulate(trace, nodes, "round_robin", noticed=5.0)

    first, second = outcome.records
    assert (first.node, first.attempts, first.placed, first.start, first.end) == (
        "node-2",
        2,
        8.0,
        10.0,
        20.0,
    )
    assert (second.node, second.end) == ("node-2", 10.0)
    assert outcome.wasted == {"node-1": 3.0, "node-2": 0.0}


def test_push_sends_to_a_dead_node_until_it_is_noticed_and_pull_does_not():
    trace = tuple(Task(number, number, 1.0 + number, 0.1) for number in range(10))
    nodes = [
        replace(node, outages=(Outage(0.5, 100.0),) * (node.name == "node-1")) for node in node_mix("1:1")
    ]

    push, pull = (simulate(trace, nodes, name, noticed=5.0) for name in ("round_robin", "pull"))

    assert max(record.waiting for record in push.records) > 4
    assert max(record.waiting for record in pull.records) < 0.01
    assert {record.node for record in (*push.records, *pull.records)} == {"node-2"}


def test_node_that_came_back_takes_work_again_and_is_cold():
    trace = tuple(Task(number, number, float(number), 0.5) for number in range(12))
    node = NodeSpec("a", cold=1.0, startup=0.5, outages=(Outage(2.9, 5.0),))

    outcome = simulate(trace, [node], "pull", noticed=1.0)

    ends = [record.end for record in outcome.records]
    assert ends[:2] == [2.0, 2.5]  # starts at 0.5, loads for a second
    assert outcome.records[2].start == 5.5 and ends[2] == 7.0
    assert outcome.records[2].attempts == 2 and outcome.wasted["a"] == pytest.approx(0.4)


def test_node_that_is_back_before_its_death_is_noticed_waits_for_that_and_gets_its_share():
    trace = tuple(Task(number, 0, 0.0, 1.0) for number in range(20))
    nodes = [replace(node, outages=(Outage(1.5, 2.5),) * (node.name == "node-1")) for node in node_mix("1:1")]

    push, pull = (simulate(trace, nodes, name, noticed=5.0) for name in ("round_robin", "pull"))

    late = [record for record in push.records if record.placed > 0]
    assert {record.placed for record in late} == {6.5}
    assert [sum(record.node == name for record in late) for name in ("node-1", "node-2")] == [5, 4]
    assert min(r.start for r in pull.records if r.node == "node-1" and r.start > 1.5) == 6.5


def test_work_waits_when_every_node_is_dead_and_is_told_when_none_returns():
    forever = [NodeSpec("a", outages=(Outage(0.5, inf),))]

    outcome = simulate(folder(3, sizes="equal"), forever, "pull")

    assert (outcome.records, outcome.unfinished) == ((), (0, 1, 2))


def test_cluster_without_nodes_is_refused():
    with pytest.raises(ValueError, match="at least one node"):
        simulate(folder(1), [], "pull")


def test_decisions_are_counted_and_timed():
    ticks = iter(range(1000))

    outcome = simulate(folder(20), node_mix("1:1"), "least_connections", stopwatch=lambda: float(next(ticks)))

    assert (outcome.decisions, outcome.decision_seconds) == (20, 20.0)


def test_chunks_are_cut_as_the_platform_cuts_them():
    for sizes, images, lanes in (("heavy", 200, 3), ("uniform", 37, 2), ("equal", 5, 4), ("heavy", 900, 8)):
        trace = folder(images, sizes=sizes, mean=0.3, seed=8)
        photos = [ChunkImage(str(task.id), task.id, "a.jpg", "0" * 64, None) for task in trace]

        planned = plan_chunks(
            photos, lambda item, trace=trace: trace[item.position].work, parallelism=lanes, target_seconds=1.5
        )

        ours = [[task.id for task in piece] for piece in cut(trace, 1.5, lanes)]
        assert ours == [[photo.position for photo in chunk.images] for chunk in planned]


def test_thousand_nodes_are_no_slower_for_a_decision():
    """2,000 images over 1,000 nodes: enough to notice a decision that looks at every node many times."""
    nodes = node_mix(":".join(["1"] * 1000))
    trace = open_loop(2000, rate=rate_for(0.9, nodes), sizes="heavy", seed=1)

    outcome = simulate(trace, nodes, "shortest_expected_delay")

    assert len(outcome.records) == 2000


class TestAims:
    """What the comparison is for, on small traces; the full numbers are in docs/balancing.md."""

    @pytest.mark.parametrize("mix", ["2:1", "4:2:1"])
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_pull_is_within_five_percent_for_a_folder(self, mix: str, seed: int):
        trace, nodes = folder(200, sizes="uniform", seed=seed), node_mix(mix)

        assert measure(simulate(trace, nodes, "pull"), trace).over_bound <= 1.05

    def test_best_policy_halves_round_robins_p99_with_heavy_tails(self):
        nodes = node_mix("1:1:1:1")
        trace = open_loop(2000, rate=rate_for(0.9, nodes), sizes="heavy", seed=1)

        best, round_robin = (measure(simulate(trace, nodes, p), trace) for p in ("pull", "round_robin"))

        assert best.sojourn_p99 <= round_robin.sojourn_p99 / 2


def test_mixes_of_nodes_are_read():
    assert [(node.name, node.speed, node.weight) for node in node_mix("2:0.5")] == [
        ("node-1", 2.0, 4),
        ("node-2", 0.5, 1),
    ]
    for text in ("2:x", "0:1", "", "nan"):
        with pytest.raises(ValueError, match="no mix of nodes"):
            node_mix(text)
