"""A pool chooses as its policy does, whatever happened to the nodes in between."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadbalancer import registry
from loadbalancer.policy import NodeView
from loadbalancer.pool import Pool

every_policy = pytest.mark.parametrize("name", registry.names())

some_nodes = st.builds(
    NodeView,
    name=st.sampled_from([f"n{i}" for i in range(6)]),
    slots=st.integers(1, 3),
    active=st.integers(0, 4),
    weight=st.integers(0, 3),
    speed=st.sampled_from([0.0, 1.0, 2.0, float("nan"), float("inf")]),
    latency=st.sampled_from([0.0, 0.5, 1.0, float("nan")]),
    idle_since=st.sampled_from([0.0, 3.0, 5.0]),
)


@every_policy
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.sampled_from(["put", "put", "drop"]), some_nodes), max_size=40),
    seed=st.integers(0, 2**32),
)
def test_pool_chooses_as_the_policy_does(name: str, changes: list[tuple[str, NodeView]], seed: int):
    policy, mirror = registry.get(name), {"n9": NodeView("n9")}
    pool, one, other = Pool(policy, mirror.values()), Random(seed), Random(seed)

    for turn, (change, node) in enumerate(changes):
        if change == "put":
            pool.add(node)
            mirror[node.name] = node
        elif node.name in mirror:
            pool.remove(node.name)
            del mirror[node.name]
        expected = policy.choose([mirror[key] for key in sorted(mirror)], turn, one)
        assert pool.choose(turn, other) is expected


def test_heap_does_not_grow_with_every_change():
    pool = Pool(registry.get("peak_ewma"), [NodeView("a"), NodeView("b")])

    for step in range(5000):
        pool.update(NodeView("a", latency=1.0 + step))

    assert len(pool._heap) < 100
    assert pool.choose(0, Random(1)).name == "b"


def test_changes_of_unknown_nodes_are_errors():
    pool = Pool(registry.get("least_connections"), [NodeView("a")])

    with pytest.raises(KeyError):
        pool.update(NodeView("b"))
    with pytest.raises(KeyError):
        pool.remove("b")
    assert (len(pool), "a" in pool, pool["a"]) == (1, True, NodeView("a"))


def test_empty_pool_has_nothing_to_choose():
    pool = Pool(registry.get("random"), [NodeView("a")])
    pool.remove("a")

    with pytest.raises(IndexError, match="no node"):
        pool.choose(0, Random(1))


def test_names_are_unique():
    with pytest.raises(ValueError, match="same name"):
        Pool(registry.get("random"), [NodeView("a"), NodeView("a")])
