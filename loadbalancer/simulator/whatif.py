"""Questions to the simulator: which policy for these nodes and this work, and how many nodes by when?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from loadbalancer.report.measures import Measures, lower_bound, measure
from loadbalancer.simulator.simulation import simulate
from loadbalancer.workload import NodeSpec, Trace

GOALS: dict[str, Callable[[Measures], float]] = {
    "makespan": lambda found: found.makespan,
    "sojourn_p99": lambda found: found.sojourn_p99,
    "sojourn_mean": lambda found: found.sojourn_mean,
}
"""What can be asked for, in seconds: the end of everything, or how long an image is under way."""


@dataclass(frozen=True)
class Answer:
    policy: str
    nodes: int
    measures: Measures


def best_policies(
    trace: Trace, nodes: Sequence[NodeSpec], policies: Sequence[str], *, goal: str = "makespan", seed: int = 0
) -> list[Answer]:
    """Every policy on this trace, best first; what left images undone comes last, and what did nothing is
    left out. Raises KeyError for an unknown goal, UnknownPolicy, and ValueError without nodes."""
    value = GOALS[goal]
    found = []
    for policy in policies:
        outcome = simulate(trace, nodes, policy, seed=seed)
        if outcome.records:
            found.append(Answer(policy, len(nodes), measure(outcome, trace)))
    return sorted(found, key=lambda one: (one.measures.unfinished, value(one.measures)))


def nodes_needed(
    trace: Trace,
    node: NodeSpec,
    policy: str,
    *,
    seconds: float,
    goal: str = "makespan",
    most: int = 1000,
    seed: int = 0,
) -> Answer | None:
    """The fewest nodes like `node` with which the goal is at most `seconds`; None if `most` don't do.

    Starts from the number that the lower bound asks for, doubles what it adds until the goal is met, and
    halves the distance again. One node more rarely makes a trace slower; where it does, a smaller number
    than the answer may do as well. Raises KeyError for an unknown goal.
    """
    value = GOALS[goal]

    def tried(count: int) -> Answer | None:
        outcome = simulate(trace, _copies(node, count), policy, seed=seed)
        if outcome.unfinished:
            return None
        answer = Answer(policy, count, measure(outcome, trace))
        return answer if value(answer.measures) <= seconds else None

    short = _least(trace, node, seconds, most) - 1 if goal == "makespan" else 0
    if short >= most:
        return None
    step, enough = 1, None
    while enough is None:
        count = min(most, short + step)
        enough = tried(count)
        if enough is None:
            if count == most:
                return None
            short, step = count, 2 * step
    while enough.nodes - short > 1:
        middle = (enough.nodes + short) // 2
        answer = tried(middle)
        if answer:
            enough = answer
        else:
            short = middle
    return enough


def _least(trace: Trace, node: NodeSpec, seconds: float, most: int) -> int:
    """No fewer nodes can be done by then, whatever the policy; more than `most` if no number can."""
    if seconds <= 0 or lower_bound(trace, _copies(node, most)) > seconds:
        return most + 1
    return max(1, ceil(sum(task.work for task in trace) / (node.capacity * seconds) - 1e-9))


def _copies(node: NodeSpec, count: int) -> list[NodeSpec]:
    digits = len(str(count))
    return [replace(node, name=f"node-{number:0{digits}}") for number in range(1, count + 1)]
