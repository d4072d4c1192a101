"""The command that compares policies writes what it promises."""

from __future__ import annotations

import csv
import json
import signal

import pytest

from benchmarks import __main__ as command
from benchmarks import _engines, dispatch_decision, load_balancing
from loadbalancer.workload import NodeSpec


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(load_balancing, "RESULTS", tmp_path / "out")
    return tmp_path / "out"


def test_every_policy_gets_the_same_traces_and_all_files_are_written(results):
    arguments = "--nodes 2:1 --load folder,0.7 --sizes heavy --weights warm,cold --faults dies --images 30"
    arguments += " --jobs 40 --policies round_robin,pull --seeds 2 --records"

    report = load_balancing.run(arguments.split())

    assert len(report["rows"]) == 8  # two loads, warm and cold, two policies
    data = json.loads((results / "report.json").read_text())
    assert len(data["runs"]) == 16
    bounds = {(run["case"], run["seed"]): set() for run in data["runs"]}
    for run in data["runs"]:
        bounds[run["case"], run["seed"]].add((run["lower_bound"], run["alone_fastest"]))
    assert all(len(one) == 1 for one in bounds.values())
    images = list(csv.DictReader((results / "images.csv").read_text().splitlines()))
    assert len(images) == 2 * 2 * 2 * (30 + 40)  # weights, policies, seeds
    assert (results / "index.html").read_text().count("<svg") == 8
    assert len(list(results.glob("*.svg"))) == 8
    assert len((results / "rows.csv").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    ("nodes", "which", "singles"),
    [("2:1", "both", 2), ("2:1", "slowest", 1), ("1:1", "both", 1), ("2:1", "none", 0)],
)
def test_a_trace_is_run_once_on_each_single_node(results, monkeypatch, nodes: str, which: str, singles: int):
    seen = []

    class Counting(_engines.Simulated):
        def run(self, trace, nodes, policy, **more):
            seen.append(len(nodes))
            return super().run(trace, nodes, policy, **more)

    monkeypatch.setattr(_engines, "Simulated", Counting)

    load_balancing.run(
        f"--nodes {nodes} --alone {which} --load folder --sizes uniform --faults none,dies --images 9 "
        "--policies pull --seeds 1".split()
    )

    assert (seen.count(1), seen.count(2)) == (singles, 2)  # shared by both faults
    runs = json.loads((results / "report.json").read_text())["runs"]
    assert [run["alone_slowest"] is None for run in runs] == [which == "none"] * 2
    assert [run["alone_fastest"] is None for run in runs] == [which in {"none", "slowest"}] * 2


def test_being_told_to_end_cleans_up_as_ctrl_c_does(monkeypatch):
    ended = []

    def working(name: str, argv: list[str]) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)  # impatience does not cut it short
            ended.append(name)

    monkeypatch.setattr(command, "measure", working)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as stopped:
            command.main(["load_balancing"])
    finally:
        signal.signal(signal.SIGTERM, before)

    assert stopped.value.code == 143
    assert ended == ["load_balancing"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--policies fastest", "'fastest' is no policy; there are join_idle_queue"),
        ("--sizes huge", "'huge' is no distribution of sizes"),
        ("--load 0", "'0' is no load; write folder"),
        ("--nodes fast:slow", "'fast:slow' is no mix of nodes"),
        ("--faults fire", "'fire' is no fault"),
    ],
)
def test_wrong_arguments_are_answered_in_words(results, capsys, arguments: str, message: str):
    with pytest.raises(SystemExit):
        load_balancing.run(arguments.split())

    assert message in capsys.readouterr().err
    assert not results.exists()


def test_decisions_of_a_pool_are_timed():
    rows = dispatch_decision.run(["--quick"])["rows"]

    assert {row["nodes"] for row in rows} == {10, 100, 1000}
    assert all(row["choose_us"] > 0 and row["pool_us"] > 0 for row in rows)


def test_a_node_that_was_slower_than_measured_is_named():
    from benchmarks._kubernetes import strayed

    measured = [NodeSpec("a", 2.0), NodeSpec("b", 1.0)]

    assert strayed([NodeSpec("a", 1.9), NodeSpec("b", 1.1)], measured) == ""
    assert strayed([NodeSpec("a", 1.0), NodeSpec("b", 1.0)], measured).startswith("a was 0.50 times")
    assert strayed([NodeSpec("b", 1.6)], measured).startswith("b was 1.60 times")
