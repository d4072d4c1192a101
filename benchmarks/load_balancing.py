"""Balancing policies on the same traces: against one node, against each other, against what is possible.

    python -m benchmarks load_balancing --engine simulator --nodes 2:1,4:2:1 --policies all --load folder,0.9

A case is a mix of nodes (relative speeds), a load, a distribution of sizes, warm or cold weights, and whether
a node dies. Load `folder`: one job of --images images, all there at once. A number: --jobs jobs of
--job-images images that come as a Poisson process and keep the nodes busy to that part. Every policy of a
case gets the same traces, one a seed, and so do the fastest and the slowest node alone.

Besides the usual JSON and PNG, benchmarks/results/load_balancing/ gets index.html (stands alone), rows.csv,
report.json, an SVG for each chart and, with --records, images.csv with each image's placement and times.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks._engines import ENGINES, Engine
from loadbalancer import registry
from loadbalancer.records import Outcome
from loadbalancer.report import page
from loadbalancer.report.comparison import ORIGINAL, Run, rows
from loadbalancer.report.measures import lower_bound, measure
from loadbalancer.workload import SIZES, NodeSpec, Outage, Trace, folder, node_mix, open_loop, rate_for

RESULTS = Path(__file__).parent / "results" / "load_balancing"
SHOWN = ("makespan", "over_bound", "saved_fastest", "saved_slowest", "waiting_mean", "sojourn_p99", "jain")


@dataclass(frozen=True)
class Case:
    mix: str
    load: str  # "folder" or a number
    sizes: str
    weights: str  # "warm" or "cold"
    fault: str  # "none" or "dies"

    @property
    def name(self) -> str:
        more = [word for word in (self.weights, self.fault) if word not in {"warm", "none"}]
        load = self.load if self.load == "folder" else f"load {self.load}"
        return ", ".join([f"nodes {self.mix}", load, f"{self.sizes} sizes", *more])


def run(argv: Sequence[str]) -> dict[str, Any]:
    options = _options(argv)
    engine, runs, kept = ENGINES[options.engine], [], []
    for case in _cases(options):
        for seed in range(1, options.seeds + 1):
            trace, nodes = _trace(case, options, seed)
            alone = _alone(engine, trace, nodes, case, seed) if options.alone else (None, None)
            for policy in options.policies:
                outcome = engine.run(trace, nodes, policy, seed=seed, chunk_seconds=options.chunk_seconds)
                runs.append(Run(case.name, policy, seed, measure(outcome, trace), *alone))
                if options.records:
                    kept.append((case.name, seed, outcome))
        print(case.name, "done", flush=True)
    settings = {key: _text(value) for key, value in vars(options).items() if key != "quick"}
    _write(runs, settings, kept)
    table = rows(runs)
    return {
        "settings": settings,
        "original": {policy: list(span) for policy, span in ORIGINAL.items()},
        "rows": [
            {
                "case": row.case,
                "policy": row.policy,
                **{name: round(row.estimates[name].mean, 3) for name in SHOWN if name in row.estimates},
            }
            for row in table
        ],
    }


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load_balancing")
    parser.add_argument("--quick", action="store_true", help="two seeds and shorter traces")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="simulator")
    parser.add_argument("--nodes", type=_list, default=_list("1:1,2:1,4:2:1"), help="mixes of speeds")
    parser.add_argument("--slots", type=int, default=1, help="of each node")
    parser.add_argument("--policies", type=_list, default=["all"])
    parser.add_argument("--load", type=_list, default=_list("folder,0.5,0.7,0.9"))
    parser.add_argument("--sizes", type=_list, default=_list("uniform,heavy"), help=", ".join(SIZES))
    parser.add_argument("--weights", type=_list, default=["warm"], help="warm, cold")
    parser.add_argument("--faults", type=_list, default=["none"], help="none, dies")
    parser.add_argument("--images", type=int, default=200, help="of the folder")
    parser.add_argument("--jobs", type=int, default=None, help="that arrive; 2000 by default")
    parser.add_argument("--job-images", type=int, default=1, help="of each job that arrives")
    parser.add_argument("--mean", type=float, default=1.0, help="seconds of an image at speed 1")
    parser.add_argument("--cold-seconds", type=float, default=3.0, help="to load weights in a slot")
    parser.add_argument("--chunk-seconds", type=float, default=0.0, help="bound as one piece; 0: each image")
    parser.add_argument("--seeds", type=int, default=None, help="5 by default")
    parser.add_argument("--no-alone", dest="alone", action="store_false", help="without single nodes")
    parser.add_argument("--records", action="store_true", help="write each image down")
    options = parser.parse_args(argv)
    options.seeds = options.seeds or (2 if options.quick else 5)
    options.jobs = options.jobs or (300 if options.quick else 2000)
    if options.policies == ["all"]:
        options.policies = list(registry.names())
    for what, chosen, known in (
        ("policy", options.policies, registry.names()),
        ("distribution of sizes", options.sizes, SIZES),
        ("kind of weights", options.weights, ("warm", "cold")),
        ("fault", options.faults, ("none", "dies")),
    ):
        if unknown := [name for name in chosen if name not in known]:
            parser.error(f"{unknown[0]!r} is no {what}; there are {', '.join(known)}")
    for load in options.load:
        if load != "folder" and not (re.fullmatch(r"\d*\.?\d+", load) and float(load) > 0):
            parser.error(f"{load!r} is no load; write folder, or a part of the nodes' capacity such as 0.9")
    for mix in options.nodes:
        try:
            node_mix(mix)
        except ValueError as error:
            parser.error(str(error))
    return options


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _text(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for values in product(options.nodes, options.load, options.sizes, options.weights, options.faults):
        yield Case(*values)


def _trace(case: Case, options: argparse.Namespace, seed: int) -> tuple[Trace, tuple[NodeSpec, ...]]:
    """The trace of a seed, and the nodes; one that dies is away for the middle third of the least time."""
    cold = options.cold_seconds if case.weights == "cold" else 0.0
    nodes = node_mix(case.mix, slots=options.slots, cold=cold)
    if case.load == "folder":
        trace = folder(options.images, sizes=case.sizes, mean=options.mean, seed=seed)
    else:
        rate = rate_for(float(case.load), nodes, images=options.job_images, mean=options.mean)
        trace = open_loop(
            options.jobs,
            rate=rate,
            images=options.job_images,
            sizes=case.sizes,
            mean=options.mean,
            seed=seed,
        )
    if case.fault == "dies":
        least = lower_bound(trace, nodes)
        nodes = (replace(nodes[0], outages=(Outage(least / 3, 2 * least / 3),)), *nodes[1:])
    return trace, nodes


def _alone(
    engine: Engine, trace: Trace, nodes: Sequence[NodeSpec], case: Case, seed: int
) -> tuple[float, float]:
    """Seconds of the fastest and of the slowest node, each alone and without failures."""
    seconds = []
    for pick in (max, min):
        node = replace(pick(nodes, key=lambda node: node.capacity), outages=())
        outcome = engine.run(trace, [node], "round_robin", seed=seed, chunk_seconds=0.0)
        seconds.append(measure(outcome, trace).makespan)
    return seconds[0], seconds[1]


def _write(runs: Sequence[Run], settings: dict[str, Any], kept: Sequence[tuple[str, int, Outcome]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    table = rows(runs)
    title = f"Load balancing, {settings['engine']}"
    (RESULTS / "index.html").write_text(page.to_html(title, table, settings))
    (RESULTS / "rows.csv").write_text(page.to_csv(table))
    data = page.to_data(table, runs, settings)
    (RESULTS / "report.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    for case in dict.fromkeys(row.case for row in table):
        for name, svg in page.charts(case, [row for row in table if row.case == case]).items():
            (RESULTS / f"{re.sub(r'[^a-z0-9.]+', '-', case)}-{name}.svg").write_text(svg + "\n")
    if kept:
        with (RESULTS / "images.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            columns = ("task", "job", "node", "arrival", "placed", "start", "end", "work", "attempts")
            writer.writerow(("case", "policy", "seed", *columns))
            for case, seed, outcome in kept:
                for record in outcome.records:
                    values = [getattr(record, column) for column in columns]
                    writer.writerow((case, outcome.policy, seed, *values))


def plot(report: dict[str, Any], axes: Any) -> None:
    """Makespan over its lower bound for folders, the 99th percentile of sojourn for arrivals."""
    labels = [f"{row['case']}: {row['policy']}" for row in report["rows"]]
    folders = ["folder" in row["case"] for row in report["rows"]]
    values = [
        row["over_bound"] if whole else row["sojourn_p99"]
        for row, whole in zip(report["rows"], folders, strict=True)
    ]
    axes.barh(labels, values, color=["tab:blue" if whole else "tab:orange" for whole in folders])
    axes.set_xscale("log")
    axes.set_xlabel("folders (blue): makespan ÷ lower bound; arrivals (orange): p99 of sojourn, s")
    axes.invert_yaxis()
