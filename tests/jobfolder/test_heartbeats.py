"""Heartbeat files: round trip, rubbish, newer versions."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

import jobfolder
from jobfolder import EndpointHeartbeat, Heartbeat, NodeHeartbeat

NODE = NodeHeartbeat("node-1", "celery", 2, 120.0, "0,1", 77, 5.0, 6.0, ["w1"])
ENDPOINT = EndpointHeartbeat("node-1", "http://127.0.0.1:9000", 1, 77, 5.0, 6.0)


def test_round_trip(folder, data_dir):
    worker = Heartbeat("w1", "node-1", 9, 1.0, 2.0, 3, "1-0001", "a", 1.5, "working", "", ["seccomp"])
    jobfolder.write_worker(folder, worker)
    jobfolder.write_node(data_dir, NODE)
    jobfolder.write_endpoint(data_dir, ENDPOINT)

    assert jobfolder.read_workers(folder) == [worker]
    assert jobfolder.read_worker(folder, "w1") == worker
    assert jobfolder.read_worker(folder, "w2") is None
    assert jobfolder.read_nodes(data_dir) == [NODE]
    assert jobfolder.read_endpoints(data_dir) == [ENDPOINT]
    assert NODE.age(7.5) == 1.5


def test_preview_servers_of_one_node_are_kept_apart(data_dir):
    pods = [replace(ENDPOINT, name=name, family="filters") for name in ("pod-1", "pod-2")]
    for beat in (*pods, ENDPOINT):
        jobfolder.write_endpoint(data_dir, beat)

    assert jobfolder.read_endpoints(data_dir) == [ENDPOINT, *pods]
    assert [beat.key for beat in (ENDPOINT, *pods)] == ["node-1", "pod-1", "pod-2"]
    jobfolder.remove_endpoint(data_dir, "pod-1", 77)
    assert jobfolder.read_endpoints(data_dir) == [ENDPOINT, pods[1]]


def test_heartbeat_of_an_older_preview_server_offers_everything(data_dir):
    jobfolder.write_endpoint(data_dir, ENDPOINT)
    path = data_dir / "endpoints" / "node-1.json"
    old = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("name", "family")}
    path.write_text(json.dumps(old))

    (beat,) = jobfolder.read_endpoints(data_dir)

    assert beat == ENDPOINT
    assert beat.offers("filters")
    assert not replace(beat, family="gan").offers("filters")


def test_pods_of_long_ago_are_forgotten_and_nodes_are_not(data_dir):
    for name, time in (("", 6.0), ("pod-1", 6.0), ("pod-2", 60.0)):
        jobfolder.write_endpoint(data_dir, replace(ENDPOINT, name=name, time=time))
    (data_dir / "endpoints" / "pod-1.lock").touch()

    assert jobfolder.sweep_endpoints(data_dir, before=50.0) == ["pod-1"]

    assert sorted(path.name for path in (data_dir / "endpoints").iterdir()) == ["node-1.json", "pod-2.json"]


def test_nothing_there_yet(tmp_path):
    assert jobfolder.read_nodes(tmp_path) == []
    assert jobfolder.read_endpoints(tmp_path) == []


def test_rubbish_is_no_heartbeat_and_hides_no_other(data_dir):
    jobfolder.write_node(data_dir, NODE)
    nodes = data_dir / "nodes"
    good = json.loads((nodes / "node-1.json").read_text())
    (nodes / "a.json").write_text("")
    (nodes / "b.json").write_text('{"node": "b"}')
    (nodes / "c.json").write_text(json.dumps(good))  # says it is node-1
    (nodes / "d.json").write_text(json.dumps(good | {"node": "d", "time": None}))
    (nodes / ".node-1.json.1-2.tmp").write_text("{")
    (nodes / "node-1.lock").touch()

    assert jobfolder.read_nodes(data_dir) == [NODE]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", "2.0"),
        ("time", math.nan),
        ("time", math.inf),
        ("started", True),
        ("pid", "9"),
        ("images", 1.5),
        ("chunk", ["1-0001"]),
        ("image", {"id": "a"}),
        ("image_started", "soon"),
        ("state", []),
        ("state", "sleeping"),
        ("reason", None),
        ("isolation", "seccomp"),
    ],
)
def test_word_of_a_worker_that_went_wrong_is_no_heartbeat(folder, field, value):
    """A worker handles strangers' files: what it writes may be anything."""
    jobfolder.write_worker(folder, Heartbeat("w1", "node-1", 9, 1.0, 2.0))
    path = folder / "workers" / "w1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))

    assert jobfolder.read_workers(folder) == []


def test_json_too_deep_to_read_is_no_heartbeat(folder):
    (folder / "workers" / "w1.json").write_text("[" * 100_000)

    assert jobfolder.read_workers(folder) == []


def test_fields_of_a_newer_version_are_left_out(data_dir):
    jobfolder.write_node(data_dir, NODE)
    path = data_dir / "nodes" / "node-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"gpus": 8}))

    assert jobfolder.read_nodes(data_dir) == [NODE]


def test_remove_only_its_own(data_dir):
    jobfolder.write_node(data_dir, NODE)
    jobfolder.write_endpoint(data_dir, ENDPOINT)

    jobfolder.remove_node(data_dir, "node-1", pid=78)
    jobfolder.remove_endpoint(data_dir, "node-1", pid=78)
    assert (len(jobfolder.read_nodes(data_dir)), len(jobfolder.read_endpoints(data_dir))) == (1, 1)
    for _ in range(2):
        jobfolder.remove_node(data_dir, "node-1", pid=77)
        jobfolder.remove_endpoint(data_dir, "node-1", pid=77)
    assert jobfolder.read_nodes(data_dir) == []
    assert jobfolder.read_endpoints(data_dir) == []
