"""Policies side by side over the seeds of a case, and the figures of the original beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadbalancer.report.measures import NUMBERS, Measures, saved
from loadbalancer.report.statistics import Estimate, estimate

ORIGINAL = {"round_robin": (51.0, 62.0), "least_connections": (53.0, 66.0)}
"""Percent less time than one node, as the original reports them: lowest and highest."""

DIFFERENCES = (
    "The original's ranges are percent less time than one node took, on its own nodes with its own images. "
    "Its traces are not available, so ranges can be compared and single numbers can't.",
    "What can be saved at all follows from the nodes: k equal nodes save at most 1 − 1/k of one node's time "
    "(2: 50 %, 3: 67 %, 4: 75 %); of unequal nodes it depends on which one stands alone, so both the fastest "
    "and the slowest are given.",
    "Round robin and least connections here bind each image to a node when it arrives. Images of a folder "
    "arrive at once: least connections then sees counts and no speeds, and deals out as round robin does.",
)


@dataclass(frozen=True)
class Run:
    """One trace under one policy, with the times of single nodes on the same trace."""

    case: str
    policy: str
    seed: int
    measures: Measures
    alone_fastest: float | None = None  # makespan of the fastest node alone
    alone_slowest: float | None = None

    def numbers(self) -> dict[str, float]:
        """The measures that are averaged, with the savings."""
        found = {name: getattr(self.measures, name) for name in NUMBERS}
        if self.alone_fastest:
            found["saved_fastest"] = saved(self.measures.makespan, self.alone_fastest)
        if self.alone_slowest:
            found["saved_slowest"] = saved(self.measures.makespan, self.alone_slowest)
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Row:
    """A policy in a case, over its seeds."""

    case: str
    policy: str
    seeds: int
    images: int
    unfinished: int
    repeated: int
    estimates: Mapping[str, Estimate]
    utilisation: Mapping[str, float]  # by node, mean over seeds

    def flat(self) -> dict[str, Any]:
        """One level, for a CSV: a mean and `_ci` (half the interval) of each measure."""
        flat: dict[str, Any] = {"case": self.case, "policy": self.policy, "seeds": self.seeds}
        flat |= {"images": self.images, "unfinished": self.unfinished, "repeated": self.repeated}
        for name, one in self.estimates.items():
            flat[name] = round(one.mean, 6)
            flat[f"{name}_ci"] = "" if one.half is None else round(one.half, 6)
        for node, used in self.utilisation.items():
            flat[f"utilisation {node}"] = round(used, 4)
        return flat


def rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each case and policy, in the order in which they first come."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.case, run.policy), []).append(run)
    return [_row(case, policy, group) for (case, policy), group in groups.items()]


def _row(case: str, policy: str, group: Sequence[Run]) -> Row:
    numbers = [run.numbers() for run in group]
    names = [name for name in numbers[0] if all(name in one for one in numbers)]
    nodes = list(group[0].measures.utilisation)
    return Row(
        case=case,
        policy=policy,
        seeds=len(group),
        images=sum(run.measures.images for run in group),
        unfinished=sum(run.measures.unfinished for run in group),
        repeated=sum(run.measures.repeated for run in group),
        estimates={name: estimate([one[name] for one in numbers]) for name in names},
        utilisation={
            node: sum(run.measures.utilisation[node] for run in group) / len(group) for node in nodes
        },
    )
