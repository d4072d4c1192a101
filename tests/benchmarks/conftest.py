"""Runs that were started, and the queue that would go on with them."""

from __future__ import annotations

import pytest

from apps.benchmarks import tasks
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.services import cells, runs

SMALL = {"nodes": "2:1", "images": 20, "seeds": 2, "policies": ["round_robin", "pull"]}
CELLS = 8  # two policies and two single nodes, twice


@pytest.fixture(autouse=True)
def queued(monkeypatch) -> list[str]:
    """Ids of the runs that were asked to be gone on with. Nothing is sent anywhere."""
    asked: list[str] = []
    monkeypatch.setattr(tasks, "enqueue", asked.append)
    return asked


@pytest.fixture
def start(staff):
    def start(**config) -> BenchmarkRun:
        return runs.start(staff, config=SMALL | config)

    return start


def finish(run: BenchmarkRun) -> BenchmarkRun:
    """Do all that is left of it."""
    while cells.advance(run.pk):
        pass
    run.refresh_from_db()
    return run
