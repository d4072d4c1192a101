"""Cutting jobs into pieces that are bound to a node as a whole, as the platform cuts folders into chunks."""

from __future__ import annotations

from itertools import groupby
from math import ceil, frexp, inf

from loadbalancer.workload import Task, Trace

Piece = tuple[Task, ...]

_TAIL_PER_LANE = 16
_LEAST_SECONDS = 0.05


def cut(trace: Trace, target_seconds: float, lanes: int) -> list[Piece]:
    """Pieces in the order of arrival; one image each when `target_seconds` is 0. `lanes`: slots there are."""
    if not target_seconds:
        return [(task,) for task in trace]
    pieces = []
    for _, tasks in groupby(trace, lambda task: (task.job, task.arrival)):
        pieces += _job(list(tasks), target_seconds, max(1, lanes))
    return pieces


def _job(tasks: list[Task], target_seconds: float, lanes: int) -> list[Piece]:
    """About `target_seconds` of work each, less as less is left to do, much work first; the last
    tenth singly, so that all lanes end together. The platform guesses an image's work from its pixels; here
    it is known."""
    tasks = sorted(tasks, key=lambda task: -frexp(task.work)[1])
    tail = min(len(tasks) // 10, _TAIL_PER_LANE * lanes)
    body = tasks[: len(tasks) - tail]
    total = left = sum(task.work for task in tasks)
    most = 0.0
    longest = ceil(len(tasks) / lanes)
    groups: list[list[Task]] = []
    spent = inf
    for task in body:
        if spent + task.work > most + 1e-9 or len(groups[-1]) >= longest:
            groups.append([])
            spent = 0.0
            share = left if lanes > 1 else total  # one lane ends with itself
            most = min(target_seconds, max(_LEAST_SECONDS, share / (2 * lanes)))
        groups[-1].append(task)
        spent += task.work
        left -= task.work
    return [tuple(group) for group in groups] + [(task,) for task in tasks[len(tasks) - tail :]]
