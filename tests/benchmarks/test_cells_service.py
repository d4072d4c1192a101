"""Going on with a run: to its end, twice at once, after a crash, and not after a cancel."""

from __future__ import annotations

import pytest

from apps.benchmarks import engines, tasks
from apps.benchmarks.engines import EngineBusy, EngineError
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from apps.benchmarks.services import cells, leases, runs
from tests.benchmarks.conftest import CELLS, finish

pytestmark = pytest.mark.django_db


class Breaking:
    """The simulator, with something that happens in front of a cell."""

    def __init__(self, before) -> None:
        self.before, self.inner, self.calls = before, engines.Simulator(), 0

    def run(self, *args, **options):
        self.calls += 1
        self.before(self.calls, options["beat"])
        return self.inner.run(*args, **options)


@pytest.fixture
def engine(monkeypatch):
    def engine(before) -> Breaking:
        found = Breaking(before)
        monkeypatch.setitem(engines.ENGINES, "simulated", found)
        return found

    return engine


def expire(run: BenchmarkRun) -> None:
    """As if its task had died half a minute ago."""
    BenchmarkRun.objects.filter(pk=run.pk).update(leased_until=leases.until(-1))


def test_run_ends_with_every_cell_measured(start):
    run = finish(start())

    assert (run.status, run.done, run.total, run.reason) == ("succeeded", CELLS, CELLS, "")
    assert run.started <= run.finished
    assert set(run.cells.values_list("status", flat=True)) == {"succeeded"}
    assert run.summary["best"] == "pull"
    assert run.leased_by == ""
    cell = run.cells.get(scenario="all", policy="pull", seed=1)
    assert cell.metrics["images"] == len(cell.records) == 20
    assert cell.attempts == 1


def test_same_seed_measures_the_same_twice(start):
    first, second = finish(start()), finish(start())

    def makespans(run):
        return [cell.metrics["makespan"] for cell in run.cells.order_by("position")]

    assert makespans(first) == makespans(second)


def test_task_leaves_the_rest_to_the_next(start):
    run = start()

    assert cells.advance(run.pk, budget=0)

    run.refresh_from_db()
    assert (run.status, run.done) == ("running", 1)
    assert run.leased_by == ""
    assert finish(run).status == "succeeded"


def test_second_task_at_once_does_nothing(start, engine):
    seen = []
    engine(lambda number, beat: seen.append(cells.advance(run.pk)))
    run = start()

    finish(run)

    assert seen == [False] * CELLS
    run.refresh_from_db()
    assert run.done == CELLS


def test_killed_task_is_resumed_where_it_stopped(start, engine):
    def die(number, beat):
        if number == 4:
            raise KeyboardInterrupt  # no handler of ours sees it, as with a kill

    broken = engine(die)
    run = start()
    with pytest.raises(KeyboardInterrupt):
        cells.advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.done) == ("running", 3)
    assert not cells.advance(run.pk)  # its lease is still good
    expire(run)

    assert finish(run).status == "succeeded"
    assert broken.calls == CELLS + 1
    assert run.cells.get(position=3).attempts == 2


def test_cell_that_kills_its_process_fails_the_run(start, engine):
    def die(number, beat):
        raise KeyboardInterrupt

    engine(die)
    run = start()
    for _ in range(cells.MAX_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            cells.advance(run.pk)
        expire(run)

    finish(run)

    assert run.status == "failed"
    assert "killed several times" in run.reason


def test_slow_task_that_lost_its_lease_changes_nothing(start, engine):
    def stall(number, beat):
        if number == 1:
            expire(run)
            assert cells.advance(run.pk, budget=0)  # another takes over and does this very cell

    engine(stall)
    run = start()

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.done, run.status) == (1, "running")
    assert run.cells.exclude(status="pending").count() == 1
    assert finish(run).done == CELLS


def test_error_of_the_engine_fails_the_run_with_its_words(start, engine):
    def refuse(number, beat):
        if number == 5:
            raise EngineError("No node is alive. Start one and run it again.")

    engine(refuse)

    run = finish(start())

    assert run.status == "failed"
    assert run.reason.endswith("No node is alive. Start one and run it again.")
    assert run.done == 5
    assert run.cells.filter(status="succeeded").count() == 4
    assert run.summary["best"]  # what was measured still counts


def test_busy_nodes_make_the_run_wait_and_no_attempt_is_counted(start, engine, queued):
    def busy(number, beat):
        if number == 3:
            raise EngineBusy("Jobs are running on the nodes.")

    engine(busy)
    run = start()

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.status, run.done, run.reason) == ("running", 2, "Jobs are running on the nodes.")
    queued.clear()
    tasks.resume()
    assert queued == []  # not at once
    expire(run)
    tasks.resume()
    assert queued == [run.pk]
    assert (finish(run).status, run.reason) == ("succeeded", "")
    assert set(run.cells.values_list("attempts", flat=True)) == {1}


def test_unexpected_error_fails_the_run_and_is_logged(start, engine, caplog):
    def crash(number, beat):
        raise ZeroDivisionError

    engine(crash)

    run = finish(start())

    assert run.status == "failed"
    assert "server's log" in run.reason
    assert "ZeroDivisionError" in caplog.text


def test_cancel_in_the_middle_of_a_cell_stops_it(start, staff, engine, monkeypatch):
    monkeypatch.setattr(leases, "RENEW", 0.0)

    def stop(number, beat):
        if number == 3:
            runs.cancel(staff, run.pk)
            beat()

    broken = engine(stop)
    run = start()

    assert not cells.advance(run.pk)

    run.refresh_from_db()
    assert (run.status, run.done, broken.calls) == ("cancelled", 2, 3)
    assert run.cells.filter(status="succeeded").count() == 2


def test_long_simulation_is_stopped_from_within(start, staff, monkeypatch):
    """The simulator beats while it simulates."""
    monkeypatch.setattr(engines, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(leases, "RENEW", 0.0)
    run = start()
    seen = []
    real = leases.Lease.beat

    def beat(self):
        seen.append(1)
        BenchmarkRun.objects.filter(pk=run.pk).update(status="cancelled")
        real(self)

    monkeypatch.setattr(leases.Lease, "beat", beat)

    assert not cells.advance(run.pk)

    assert seen == [1]
    assert BenchmarkCell.objects.filter(run=run, status="succeeded").count() == 0


def test_runs_take_turns_in_the_order_they_came(start, queued):
    first, second = start(), start()
    cells.advance(first.pk, budget=0)
    first.refresh_from_db()

    assert not cells.advance(second.pk)

    second.refresh_from_db()
    assert (first.status, second.status) == ("running", "queued")
    finish(first)
    queued.clear()
    tasks.resume()
    assert queued == [second.pk]
    assert finish(second).status == "succeeded"


def test_chore_asks_for_a_run_that_nobody_is_at_and_not_again_at_once(start, queued):
    run = start()
    queued.clear()

    tasks.resume()
    tasks.resume()
    assert queued == [run.pk]

    BenchmarkRun.objects.update(leased_until=leases.until(-1))
    tasks.resume()
    assert queued == [run.pk] * 2
    assert finish(run).status == "succeeded"  # being asked for keeps no task away


def test_chore_leaves_a_run_alone_that_is_worked_on(start, queued):
    run = start()
    assert leases.Lease(run.pk).take()
    queued.clear()

    tasks.resume()

    assert queued == []


def test_step_takes_a_fixed_number_of_queries(start, django_assert_max_num_queries):
    run = start(seeds=10)

    with django_assert_max_num_queries(25):
        cells.advance(run.pk, budget=0)


def test_task_goes_on_with_the_rest_and_then_with_the_next_run(start, queued):
    first, second = start(), start()
    queued.clear()

    tasks.advance(first.pk)
    assert queued == [second.pk]
    tasks.advance(second.pk)
    assert queued == [second.pk]
    assert set(BenchmarkRun.objects.values_list("status", flat=True)) == {"succeeded"}


def test_task_of_a_busy_run_does_not_ask_again_at_once(start, engine, queued):
    def busy(number, beat):
        raise EngineBusy("Jobs are running on the nodes.")

    engine(busy)
    run = start()
    queued.clear()

    tasks.advance(run.pk)

    assert queued == []
