"""What a balancing decision costs: every policy at 10, 100 and 1,000 nodes.

`choose_us` is a policy that looks at all nodes anew; `pool_us` is the same choice from a pool, together with
two changes of a node (one piece of work given, one done): what a dispatcher pays for one piece of work.

`product_us` is what the platform's controller pays for the choice of a worker's node (`balancing.Choices`),
with what follows from it: the slot is taken, and a node whose slots are all taken is offered no more. It is
the mean of filling every free slot, one round of the controller, with the round's turns fetched once from the
cache before. Reading the nodes and writing the placement down are queries, and not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any
from unittest import mock

from benchmarks._common import django_in_process
from loadbalancer import registry
from loadbalancer.policy import NodeView
from loadbalancer.pool import Pool

AIM_US = 50.0
NODES = (10, 100, 1000)


def some_nodes(count: int, seed: int = 1) -> list[NodeView]:
    """Busy, unequal nodes of four slots."""
    rng = Random(seed)
    return [
        NodeView(
            f"node-{number:04}",
            slots=4,
            active=rng.randrange(6),
            weight=rng.randint(1, 4),
            speed=rng.choice((30.0, 60.0, 120.0)),
            latency=rng.uniform(0.05, 2.0),
            idle_since=rng.uniform(1.0, 9.0),
        )
        for number in range(count)
    ]


def fastest_us(call: Callable[[int], object], repeats: int, calls: int = 20) -> float:
    """µs of a call: the best of `repeats` means over `calls`, so that other work counts least."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for turn in range(calls):
            call(turn)
        best = min(best, time.perf_counter() - start)
    return round(best / calls * 1e6, 1)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks dispatch_decision")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    repeats = 10 if parser.parse_args(argv).quick else 100
    with django_in_process():
        return {"rows": _rows(repeats), "aim_us": AIM_US}


def _rows(repeats: int) -> list[dict[str, Any]]:
    rows = []
    # `scheduler` decides nothing: it leaves the node to the engine.
    for name in (name for name in registry.names() if not registry.get(name).engine):
        for count in NODES:
            nodes, rng = some_nodes(count), Random(1)
            policy, pool = registry.get(name), Pool(registry.get(name), nodes)

            def through_pool(turn: int, pool: Pool = pool, rng: Random = rng) -> None:
                node = pool.choose(turn, rng)
                pool.update(replace(node, active=node.active + 1))
                pool.update(node)

            def alone(turn: int, choose: Any = policy.choose, nodes: Any = nodes, rng: Random = rng) -> None:
                choose(nodes, turn, rng)

            alone_us, pool_us = fastest_us(alone, repeats), fastest_us(through_pool, repeats)
            product_us = round_us(name, nodes, max(2, repeats // 20))
            rows.append(
                {
                    "policy": name,
                    "nodes": count,
                    "choose_us": alone_us,
                    "pool_us": pool_us,
                    "product_us": product_us,
                    "aim_met": "yes" if product_us <= AIM_US else "no",
                }
            )
    return rows


def round_us(policy: str, nodes: Sequence[NodeView], repeats: int) -> float:
    """µs for a worker's node in a round that fills all free slots of `nodes`: the best of some rounds."""
    from apps.cluster.services import balancing

    free = sum(max(0, node.slots - node.active) for node in nodes)
    best = float("inf")
    with mock.patch.object(balancing, "next_turns", lambda scope, count: range(count)):
        for _ in range(repeats):
            choices = balancing.Choices(nodes, "jobs", free)
            start = time.perf_counter()
            for _ in range(free):
                choices.take(choices.choose(policy).name)
            best = min(best, time.perf_counter() - start)
    return round(best / max(1, free) * 1e6, 1)


def plot(report: dict[str, Any], axes: Any) -> None:
    """One bar a row for each way, on a logarithmic scale."""
    rows = report["rows"]
    labels = [f"{row['policy']}, {row['nodes']}" for row in rows]
    axes.barh(labels, [row["choose_us"] for row in rows], height=0.8, label="policy alone", alpha=0.4)
    axes.barh(labels, [row["pool_us"] for row in rows], height=0.4, label="pool, two changes included")
    axes.plot([row["product_us"] for row in rows], labels, "k|", label="the controller")
    axes.axvline(report["aim_us"], linestyle="--")
    axes.set_xscale("log")
    axes.set_xlabel("µs for a decision (less is better); dashed: the aim")
    axes.invert_yaxis()
    axes.legend()
