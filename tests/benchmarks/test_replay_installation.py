"""Real runs as the Benchmarks page starts them: this installation's nodes, engine and settings."""

from __future__ import annotations

import pytest

from apps.benchmarks import engines
from apps.benchmarks.engines import EngineError
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.replay import installation
from apps.benchmarks.replay.calibration import Calibration
from apps.benchmarks.services import cells, runs
from apps.cluster.models import Node
from apps.processing.models import Job
from tests.benchmarks.conftest import finish
from tests.benchmarks.test_replay_dispatch import engine  # noqa: F401 - a fixture
from tests.cluster_app.factories import make_job, make_node, make_placement

pytestmark = pytest.mark.django_db

CONFIG = {"images": 8, "seeds": 1, "mean": 0.02, "policies": ["pull", "round_robin"]}


@pytest.fixture
def nodes(settings, tmp_path, monkeypatch):
    """Two nodes, the second half as fast as the platform believes; nothing is calibrated."""
    settings.DATA_DIR = tmp_path
    settings.NODE_TIMEOUT = 1.5
    make_node("node-1", speed=80.0)
    make_node("node-2", speed=40.0)
    make_node("node-3", state="lost")
    found = Calibration(((0.05, 0.005), (1.0, 0.1)), {"node-1": 1.0, "node-2": 1.0})
    monkeypatch.setattr(installation, "calibrate", lambda *args, **options: found)


@pytest.fixture
def real_engine(nodes, engine, monkeypatch):  # noqa: F811
    monkeypatch.setattr(installation.cluster_engines, "get_engine", lambda: engine)
    return engine


def test_real_run_from_its_start_to_its_table(staff, real_engine):
    run = finish(runs.start(staff, kind="real", config=CONFIG))

    assert (run.status, run.reason, run.done) == ("succeeded", "", 4)
    assert run.config["nodes"] == "2:1"
    assert [node["name"] for node in run.nodes] == ["node-1", "node-2"]
    for cell in run.cells.filter(scenario="all"):
        assert sorted(record[0] for record in cell.records) == list(range(8))
        assert {record[2] for record in cell.records} == {"node-1", "node-2"}
        assert cell.metrics["over_bound"] >= 0.99
    alone = run.cells.get(scenario="slowest")
    assert {record[2] for record in alone.records} == {"node-2"}
    assert {spec.node for spec in real_engine.placed} == {"node-1", "node-2"}


def test_it_waits_while_people_have_jobs(staff, alice, real_engine):
    placement = make_placement(make_job(alice), "node-1")
    run = runs.start(staff, kind="real", config=CONFIG)

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.status, run.done) == ("running", 0)
    assert run.reason.startswith("Jobs are running on the nodes.")
    BenchmarkRun.objects.update(leased_until=None)
    assert real_engine.placed == []
    placement.delete()
    assert not cells.advance(run.pk)  # the job waits for a node
    Job.objects.update(status="succeeded")
    BenchmarkRun.objects.update(leased_until=None)
    assert cells.advance(run.pk, budget=0)
    run.refresh_from_db()
    assert (run.done, run.reason) == (1, "")


def test_policy_of_another_engine_is_refused(staff_api, nodes):
    config = CONFIG | {"policies": ["pull", "scheduler"]}

    answer = staff_api.post("/api/v1/benchmarks", {"kind": "real", "config": config}, format="json")

    assert answer.status_code == 422
    assert "scheduler" in answer.json()["error"]["fields"]["policies"][0]


def test_too_much_for_a_task_is_refused_with_what_to_do(staff_api, nodes):
    answer = staff_api.post(
        "/api/v1/benchmarks",
        {"kind": "real", "config": CONFIG | {"images": 10_000, "mean": 1.0}},
        format="json",
    )

    assert answer.status_code == 422
    assert "take fewer images" in answer.json()["error"]["fields"]["images"][0]
    assert not BenchmarkRun.objects.exists()


def test_a_job_that_comes_in_ends_the_measurement_in_hand(staff, alice, real_engine):
    """Its images are many and slow: it would take half a minute."""
    run = runs.start(staff, kind="real", config=CONFIG | {"images": 200, "mean": 0.1, "alone": False})
    placed = real_engine.place

    def place(spec) -> None:
        placed(spec)
        Job.objects.filter(id=job.id).update(status="queued")

    job = make_job(alice, status="succeeded")
    real_engine.place = place

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.status, run.done, run.cells.first().attempts) == ("running", 0, 0)
    assert run.reason.startswith("Jobs are running")
    assert list((installation.settings.DATA_DIR / "jobs").iterdir()) == []


def test_page_says_why_there_can_be_no_real_run(staff_web, nodes):
    Node.objects.update(cordoned=True)

    with pytest.raises(EngineError, match="No node is ready"):
        engines.ENGINES["real"].nodes()
    assert "No node is ready." in staff_web.get("/benchmarks/new/").content.decode()
