"""Questions to the simulator, answered at once: which policy for these nodes and this work, and how many
nodes are enough? Bounded, as a web process does it: small traces, few seeds, a time limit, a few questions a
minute. The same question gets the same answer, so answers are kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework import serializers

from apps.accounts.models import User
from apps.benchmarks.config import FOLDER, OPEN, Config, Known, nodes_wrong, texts_of
from apps.cluster.services.balancing import policy_names
from loadbalancer.report.comparison import Row, Run, rows
from loadbalancer.report.measures import Measures, lower_bound
from loadbalancer.workload import SIZES, NodeSpec
from marketplace.api import invalid, too_many

MAX_IMAGES = 2_000
MAX_NODES = 100
SEEDS = 3
SECONDS = 6.0  # after which no further seed is begun, and no further number of nodes tried
A_MINUTE = 20  # questions of one person
AT_ONCE = 2  # questions of all
KEPT = 24 * 3600
GOALS = {"makespan": "everything is done", "sojourn_p99": "99 of 100 images are done"}


@dataclass(frozen=True)
class Question:
    nodes: str = "2:1"
    slots: int = 1
    arrivals: str = FOLDER
    jobs: int = 500
    images: int = 200
    load: float = 0.9
    sizes: str = "uniform"
    mean: float = 1.0
    cold: float = 0.0
    goal: str = "makespan"
    minutes: float = 1.0  # how many nodes for this?
    speed: float = 1.0  # of the nodes that are counted

    @property
    def config(self) -> Config:
        own = {
            name: value for name, value in asdict(self).items() if name not in {"goal", "minutes", "speed"}
        }
        return Config(**own | ({"jobs": 1} if self.arrivals == FOLDER else {}))


@dataclass(frozen=True)
class Answer:
    """`rows`: a policy each, the best first. `enough`: the fewest nodes of that speed that make it in time;
    None if MAX_NODES don't, or the time to find out was up (`cut_short`). `curve`: nodes and seconds."""

    question: Question
    rows: list[Row]
    policy: str  # that nodes were counted with
    enough: int | None
    enough_seconds: float | None
    curve: list[tuple[int, float]]
    bound: float
    cut_short: bool


class QuestionSerializer(Known):
    nodes = serializers.CharField(default="2:1", max_length=200, help_text="relative speeds: 4:2:1; 8x1")
    slots = serializers.IntegerField(default=1, min_value=1, max_value=16, help_text="of each node")
    arrivals = serializers.ChoiceField([FOLDER, OPEN], default=FOLDER)
    jobs = serializers.IntegerField(default=500, min_value=1, max_value=MAX_IMAGES)
    images = serializers.IntegerField(default=200, min_value=1, max_value=MAX_IMAGES)
    load = serializers.FloatField(default=0.9, min_value=0.05, max_value=1.5)
    sizes = serializers.ChoiceField(list(SIZES), default="uniform")
    mean = serializers.FloatField(default=1.0, min_value=0.001, max_value=3600.0)
    cold = serializers.FloatField(default=0.0, min_value=0.0, max_value=600.0)
    goal = serializers.ChoiceField(list(GOALS), default="makespan")
    minutes = serializers.FloatField(default=1.0, min_value=0.01, max_value=10_000.0)
    speed = serializers.FloatField(default=1.0, min_value=0.01, max_value=1000.0)


def question(data: Mapping[str, Any]) -> Question:
    """422 with what is wrong in which field."""
    form = QuestionSerializer(data=dict(data))
    if not form.is_valid():
        wrong = nodes_wrong(data.get("nodes"), MAX_NODES) | dict(texts_of(form.errors))
        raise invalid("invalid", "This can't be simulated.", wrong)
    asked = Question(**form.validated_data)
    wrong = nodes_wrong(asked.nodes, MAX_NODES)
    if asked.config.total_images > MAX_IMAGES:
        field = "jobs" if asked.arrivals == OPEN else "images"
        text = f"{asked.config.total_images:,} images are more than the {MAX_IMAGES:,} here; take fewer"
        wrong[field] = [text]
    if wrong:
        raise invalid("invalid", "This can't be simulated.", wrong)
    return asked


def ask(user: User, asked: Question) -> Answer:
    """429 when the person asks too often, or too much is being simulated at this moment."""
    key = (
        f"whatif:{settings.VERSION}:"
        + hashlib.sha256(json.dumps(asdict(asked), sort_keys=True).encode()).hexdigest()
    )
    known: Answer | None = cache.get(key)
    if known is not None:
        return known
    _count(user)
    slot = _slot()
    try:
        found = _answer(asked)
    finally:
        cache.delete(slot)
    if not found.cut_short:
        cache.set(key, found, KEPT)
    return found


def _count(user: User) -> None:
    minute = int(time.time() // 60)
    key = f"whatif:{user.pk}:{minute}"
    cache.add(key, 0, 120)
    if cache.incr(key) > A_MINUTE:
        text = f"That were {A_MINUTE} questions in a minute. Ask again in the next one."
        raise too_many(text, 60 - int(time.time() % 60) or 1)


def _slot() -> str:
    """One of few places to simulate in. It frees itself should this process die."""
    for number in range(AT_ONCE):
        if cache.add(f"whatif:slot:{number}", 1, 60):
            return f"whatif:slot:{number}"
    raise too_many("Others are simulating at this moment. Ask again in a few seconds.", 3)


def _answer(asked: Question) -> Answer:
    end = time.monotonic() + SECONDS
    config = asked.config
    nodes = config.specs()
    runs, bounds = _tried(config, nodes, asked.goal, end)
    found = rows(runs)
    found.sort(key=lambda row: (row.unfinished, row.estimates[asked.goal].mean))
    counted = _counted(asked, found[0].policy, nodes, end)
    seeds = found[0].seeds
    bound = sum(bounds) / len(bounds)
    return Answer(asked, found, found[0].policy, *counted, bound, cut_short=seeds < SEEDS)


def _tried(
    config: Config, nodes: tuple[NodeSpec, ...], goal: str, end: float
) -> tuple[list[Run], list[float]]:
    from loadbalancer.simulator import whatif  # SimPy: not for processes that are never asked

    runs, bounds = [], []
    for seed in range(1, SEEDS + 1):
        if seed > 1 and time.monotonic() > end - SECONDS / 2:
            break
        trace = config.trace(seed, nodes)
        bounds.append(lower_bound(trace, nodes))
        alone: list[float | None] = []
        for pick in (max, min):
            one = pick(nodes, key=lambda node: node.capacity)
            alone += [answer.measures.makespan for answer in whatif.best_policies(trace, [one], ["pull"])]
        for answer in whatif.best_policies(trace, nodes, policy_names(), goal=goal, seed=seed):
            runs.append(Run("what if", answer.policy, seed, answer.measures, *alone))
    return runs, bounds


def _counted(
    asked: Question, policy: str, nodes: tuple[NodeSpec, ...], end: float
) -> tuple[int | None, float | None, list[tuple[int, float]]]:
    """The fewest nodes that make it in time, what they take, and the values around them."""
    from loadbalancer.simulator import whatif

    trace = asked.config.trace(1, nodes)
    node = NodeSpec("node", speed=asked.speed, slots=asked.slots, cold=asked.cold)

    def seconds(count: int) -> Measures | None:
        if time.monotonic() > end:
            return None
        copies = [replace(node, name=f"node-{number:03}") for number in range(1, count + 1)]
        found = whatif.best_policies(trace, copies, [policy], goal=asked.goal)
        return found[0].measures if found else None

    answer = whatif.nodes_needed(
        trace, node, policy, seconds=60 * asked.minutes, goal=asked.goal, most=MAX_NODES
    )
    enough = answer.nodes if answer else None
    value = whatif.GOALS[asked.goal]
    points = []
    for count in _around(enough):
        measures = seconds(count)
        if measures:
            points.append((count, value(measures)))
    return enough, value(answer.measures) if answer else None, points


def _around(enough: int | None) -> list[int]:
    """About eight numbers of nodes that show where the answer lies."""
    most = MAX_NODES if enough is None else min(MAX_NODES, max(4, 2 * enough))
    steps = sorted({max(1, round(most * part / 8)) for part in range(1, 9)} | {1} | {enough or 1})
    return steps
