"""Balancing policies on the same traces: against one node, against each other, against what is possible.

    python -m benchmarks load_balancing --engine simulator --nodes 2:1,4:2:1 --policies all --load folder,0.9

A case is a mix of nodes (relative speeds), a load, a distribution of sizes, warm or cold weights, and whether
a node dies. Load `folder`: one job of --images images, all there at once. A number: --jobs jobs of
--job-images images that come as a Poisson process and keep the nodes busy to that part. Every policy of a
case gets the same traces, one a seed, and so do the fastest and the slowest node alone.

With --engine celery the nodes are real workers, started here and limited in CPU, and the images are real
photos. A node of speed 1 gets --cpu of a core. What the simulator says beforehand, from the measured speeds
and work, is compared with what came out.

Besides the usual JSON and PNG, benchmarks/results/load_balancing/ gets index.html (stands alone), rows.csv,
report.json, an SVG for each chart and, with --records, images.csv with each image's placement and times.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

from benchmarks._engines import ENGINES, Cluster
from loadbalancer import registry
from loadbalancer.records import Outcome
from loadbalancer.report import page
from loadbalancer.report.comparison import ORIGINAL, Run, rows
from loadbalancer.report.measures import lower_bound, measure
from loadbalancer.report.validation import Pair, checked
from loadbalancer.simulator import simulate
from loadbalancer.workload import SIZES, NodeSpec, Outage, Trace, folder, node_mix, open_loop, rate_for

RESULTS = Path(__file__).parent / "results" / "load_balancing"
PULL = "pull"
CHUNK = 1.5  # seconds of work in a chunk of the platform's jobs
FEW = ["round_robin", "least_connections", "shortest_expected_delay", "pull"]
_FACTORS = {"cold": "cold weights", "dies": "a node dies"}
_NOTES = {
    "dies": "Where a node dies, node-1 is killed when a third of the least time is over, and started again "
    "when two thirds are. The lower bound and the nodes alone know of no death. Done twice: results that "
    "came again after a death; only the first counts.",
    "cold": "With cold weights the time begins when workers are placed: their start and the loading of "
    "weights count. With warm ones workers are there and have loaded them. A real node that comes back after "
    "a death is cold in both.",
}
_SIMULATED, _REAL = {"mean", "cold_seconds"}, {"app", "params", "megapixels", "cpu"}  # options of one only
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
        more = [_FACTORS[word] for word in (self.weights, self.fault) if word in _FACTORS]
        load = self.load if self.load == "folder" else f"load {self.load}"
        return ", ".join([f"nodes {self.mix}", load, f"{self.sizes} sizes", *more])


def run(argv: Sequence[str]) -> dict[str, Any]:
    options = _options(argv)
    done = Done()
    for mix, cases in groupby(_cases(options), lambda case: case.mix):
        with ENGINES[options.engine](mix, options) as cluster:
            done.notes[mix] = {node.name: round(node.speed, 3) for node in cluster.nodes}
            for case in cases:
                for seed in range(1, options.seeds + 1):
                    _compare(cluster, case, options, seed, done)
                _write(done, options)  # what there is by now, should it be stopped
                print(case.name, "done", flush=True)
    table = rows(done.runs)
    return {
        "kept_as": f"load_balancing_{options.keep_as}" if options.keep_as else "load_balancing",
        "settings": _settings(done, options),
        "original": {policy: list(span) for policy, span in ORIGINAL.items()},
        "validation": [asdict(line) for line in checked(done.pairs)],
        "rows": [
            {
                "case": row.case,
                "policy": row.policy,
                **{name: round(row.estimates[name].mean, 3) for name in SHOWN if name in row.estimates},
            }
            for row in table
        ],
    }


@dataclass
class Done:
    """What has been measured so far."""

    runs: list[Run] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)  # of real runs, with what was predicted
    kept: list[tuple[str, int, Outcome]] = field(default_factory=list)
    notes: dict[str, dict[str, float]] = field(default_factory=dict)
    alone: dict[tuple[Case, int], dict[str, float]] = field(default_factory=dict)


def _compare(cluster: Cluster, case: Case, options: argparse.Namespace, seed: int, done: Done) -> None:
    """Every policy on one trace, and single nodes on the same."""
    trace, nodes = _trace(cluster, case, options, seed)
    alone = _alone(cluster, case, trace, options, seed, done)
    for policy in options.policies:
        left = cluster.real and registry.get(policy).engine == options.engine  # to kube-scheduler
        chunk = options.pull_chunk_seconds if left or policy == PULL else options.chunk_seconds
        outcome = cluster.run(trace, nodes, policy, seed=seed, chunk_seconds=chunk)
        measures = measure(outcome, trace)
        done.runs.append(Run(case.name, policy, seed, measures, *alone))
        if cluster.real:
            if not left:  # the simulator has none
                guess, given = (
                    measure(simulate(trace, some, policy, seed=seed, chunk_seconds=chunk), trace)
                    for some in (nodes, outcome.nodes)
                )
                done.pairs.append(Pair(case.name, policy, seed, guess, measures, given))
            print(
                f"  seed {seed}, {policy}: {measures.makespan:.2f} s, "
                f"{measures.over_bound:.3f} of the bound, p99 {measures.sojourn_p99:.2f} s",
                flush=True,
            )
        if options.records:
            done.kept.append((case.name, seed, outcome))


def _settings(done: Done, options: argparse.Namespace) -> dict[str, Any]:
    without = {"quick", "full", *(_REAL if options.engine == "simulator" else _SIMULATED)}
    if options.load == ["folder"]:
        without |= {"jobs", "job_images"}
    elif "folder" not in options.load:
        without.add("images")
    settings = {
        key.replace("_", " "): _text(value)
        for key, value in vars(options).items()
        if key not in without and value not in (None, "")
    }
    if options.engine != "simulator":
        said = (f"{mix} as {_speeds(found)}" for mix, found in done.notes.items())
        settings["measured speeds"] = "; ".join(said)
    return settings


def _speeds(found: dict[str, float]) -> str:
    return ":".join(f"{speed:g}" for speed in found.values())


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load_balancing")
    parser.add_argument("--quick", action="store_true", help="two seeds and shorter traces")
    parser.add_argument("--full", action="store_true", help="real: every mix, load and policy, five seeds")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="simulator")
    parser.add_argument("--nodes", type=_list, default=None, help="mixes of speeds, such as 2:1,4:2:1")
    parser.add_argument("--slots", type=int, default=1, help="of each node")
    parser.add_argument("--policies", type=_list, default=None, help="all, or names")
    parser.add_argument("--load", type=_list, default=None, help="folder, or parts of the capacity: 0.5,0.9")
    parser.add_argument("--sizes", type=_list, default=_list("uniform,heavy"), help=", ".join(SIZES))
    parser.add_argument("--weights", type=_list, default=["warm"], help="warm, cold")
    parser.add_argument("--faults", type=_list, default=["none"], help="none, dies")
    parser.add_argument("--images", type=int, default=200, help="of the folder")
    parser.add_argument("--jobs", type=int, default=None, help="that arrive")
    parser.add_argument("--job-images", type=int, default=1, help="of each job that arrives")
    parser.add_argument("--mean", type=float, default=None, help="simulated: seconds of an image at speed 1")
    parser.add_argument("--cold-seconds", type=float, default=3.0, help="simulated: to load weights")
    parser.add_argument("--chunk-seconds", type=float, default=0.0, help="bound as one piece; 0: each image")
    parser.add_argument("--pull-chunk-seconds", type=float, default=None, help="the same, of pull")
    parser.add_argument("--repeat", "--seeds", dest="seeds", type=int, default=None, help="seeds")
    parser.add_argument("--app", default="blackwhite", help="real: what is done to each image")
    parser.add_argument("--params", default="", help='real: its options; {"mode": "dither"} for blackwhite')
    parser.add_argument("--megapixels", type=float, default=2.0, help="real: of a mean image")
    parser.add_argument("--cpu", type=float, default=None, help="real: cores of a node of speed 1")
    parser.add_argument(
        "--alone", choices=("both", "fastest", "slowest", "none"), default="both", help="single nodes"
    )
    parser.add_argument(
        "--no-alone", dest="alone", action="store_const", const="none", help="without single nodes"
    )
    parser.add_argument("--keep-as", default=None, help="name of the results; real: the engine's by default")
    parser.add_argument("--records", action="store_true", help="write each image down")
    options = parser.parse_args(argv)
    _fill_in(options)
    _check(parser, options)
    return options


def _fill_in(options: argparse.Namespace) -> None:
    """Defaults: real runs last as long as they last, so they are few unless --full says otherwise."""
    real = options.engine != "simulator"
    few = real and not options.full
    options.nodes = options.nodes or _list("2:1" if few else "1:1,2:1,4:2:1,4:2:1:1")
    options.load = options.load or _list("folder,0.9" if few else "folder,0.5,0.7,0.9")
    options.policies = options.policies or (FEW if few else ["all"])
    options.seeds = options.seeds or (2 if options.quick or few else 5)
    options.jobs = options.jobs or (300 if options.quick or real else 2000)
    if options.keep_as is None:
        options.keep_as = options.engine if real else ""
    if options.pull_chunk_seconds is None:
        options.pull_chunk_seconds = CHUNK if real else options.chunk_seconds
    if options.policies == ["all"]:
        options.policies = list(registry.names())
    if real and options.app == "blackwhite" and not options.params:
        options.params = '{"mode": "dither"}'  # the app's heaviest mode whose work follows pixels


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
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


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _text(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for values in product(options.nodes, options.load, options.sizes, options.weights, options.faults):
        yield Case(*values)


def _nodes(cluster: Cluster, case: Case, options: argparse.Namespace) -> tuple[NodeSpec, ...]:
    if case.weights == "warm":
        return tuple(replace(node, startup=0.0) for node in cluster.nodes)
    if cluster.real:  # loading is part of what real workers take to start
        return cluster.nodes
    return tuple(replace(node, cold=options.cold_seconds) for node in cluster.nodes)


def _trace(
    cluster: Cluster, case: Case, options: argparse.Namespace, seed: int
) -> tuple[Trace, tuple[NodeSpec, ...]]:
    """The trace of a seed, and the nodes; one that dies is away for the middle third of the least time."""
    nodes = _nodes(cluster, case, options)
    if case.load == "folder":
        trace = folder(options.images, sizes=case.sizes, mean=cluster.mean, seed=seed)
    else:
        rate = rate_for(float(case.load), nodes, images=options.job_images, mean=cluster.mean)
        trace = open_loop(
            options.jobs,
            rate=rate,
            images=options.job_images,
            sizes=case.sizes,
            mean=cluster.mean,
            seed=seed,
        )
    trace = cluster.fit(trace)
    if case.fault == "dies":
        least = lower_bound(trace, nodes)
        nodes = (replace(nodes[0], outages=(Outage(least / 3, 2 * least / 3),)), *nodes[1:])
    return trace, nodes


def _alone(
    cluster: Cluster, case: Case, trace: Trace, options: argparse.Namespace, seed: int, done: Done
) -> tuple[float | None, float | None]:
    """Seconds of the fastest and of the slowest node, each alone and without failures; None: not asked for.
    Of nodes that were made equal one stands for all. The faults of a case share what was measured."""
    nodes = _nodes(cluster, case, options)
    if len({node.capacity for node in node_mix(case.mix)}) == 1:
        nodes = nodes[:1]
    picked = {
        name: pick(nodes, key=lambda node: node.capacity)
        for name, pick in (("fastest", max), ("slowest", min))
        if options.alone in {name, "both"}
    }
    seconds = done.alone.setdefault((replace(case, fault="none"), seed), {})
    for node in picked.values():
        if node.name not in seconds:
            outcome = cluster.run(trace, [node], "round_robin", seed=seed, chunk_seconds=0.0)
            seconds[node.name] = measure(outcome, trace).makespan
    found = {name: seconds[node.name] for name, node in picked.items()}
    return found.get("fastest"), found.get("slowest")


def _write(done: Done, options: argparse.Namespace) -> None:
    folder, settings = RESULTS / options.keep_as, _settings(done, options)
    folder.mkdir(parents=True, exist_ok=True)
    table, lines = rows(done.runs), checked(done.pairs)
    title = f"Load balancing, {settings['engine']}"
    notes = [text for name, text in _NOTES.items() if name in (*options.faults, *options.weights)]
    (folder / "index.html").write_text(page.to_html(title, table, settings, lines, notes))
    (folder / "rows.csv").write_text(page.to_csv(table))
    data = page.to_data(table, done.runs, settings, lines)
    (folder / "report.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    for case in dict.fromkeys(row.case for row in table):
        for name, svg in page.charts(case, [row for row in table if row.case == case]).items():
            (folder / f"{re.sub(r'[^a-z0-9.]+', '-', case)}-{name}.svg").write_text(svg + "\n")
    if done.kept:
        with (folder / "images.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            columns = ("task", "job", "node", "arrival", "placed", "start", "end", "work", "attempts")
            writer.writerow(("case", "policy", "seed", *columns))
            for case, seed, outcome in done.kept:
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
    if max(values) > 20 * min(values):
        axes.set_xscale("log")
    said = ("time ÷ lower bound (blue)", "99 of 100 images within, s (orange)")
    axes.set_xlabel(
        "\n".join(text for text, there in zip(said, (any(folders), not all(folders)), strict=True) if there)
    )
    axes.invert_yaxis()
