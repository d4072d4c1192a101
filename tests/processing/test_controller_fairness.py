"""Sharing nodes, trouble with one job, waking up, cleaning up."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from threading import Event, Timer
from time import monotonic

import pytest
from django.core.management import call_command

import jobfolder
from apps.processing import folders
from apps.processing.controller import care, loop
from apps.processing.controller.chores import GRACE
from apps.processing.controller.schedule import TURN
from apps.processing.models import Job, Lease, Placement
from apps.processing.services import jobs
from apps.processing.services.wakeup import bell
from tests.processing.conftest import run_to_end


def owners(engine) -> list[str]:
    jobs_ = Job.objects.in_bulk([worker.spec.job_id for worker in engine.running()])
    return sorted(jobs_[worker.spec.job_id].owner.email for worker in engine.running())


def test_a_small_job_does_not_wait_for_anothers_big_one(alice, bob, submit, controller, engine):
    big = submit(alice, count=60)
    controller.tick()
    engine.work(1)
    small = submit(bob, count=1)

    controller.tick()  # asks the newer of alice's workers to leave
    engine.work(1)  # which it does after the photo in hand
    controller.tick()

    assert owners(engine) == ["alice@example.org", "bob@example.org"]
    run_to_end(controller, engine, small)
    big.refresh_from_db()
    assert big.done < 15
    run_to_end(controller, engine, big)
    assert (big.status, big.done, big.failed) == ("succeeded", 60, 0)


def test_on_a_single_slot_owners_take_turns(alice, bob, submit, controller, engine, clock):
    engine.slots = {"node-1": 1}
    submit(alice, count=40)
    controller.tick()
    submit(bob, count=40)
    controller.tick()
    engine.work(1)
    assert owners(engine) == ["alice@example.org"]

    seen = []
    for _ in range(4):
        clock.move(TURN)
        controller.tick()
        engine.work(1)
        controller.tick()
        engine.work(1)
        seen += owners(engine)
    assert seen == ["bob@example.org", "alice@example.org"] * 2


def test_alone_a_job_keeps_all_nodes(alice, submit, controller, engine, clock):
    submit(alice, count=60)
    for _ in range(5):
        controller.tick()
        engine.work(1)
        clock.move(TURN)
    assert Placement.objects.count() == 2


def test_beyond_the_limit_only_who_has_none_starts_a_job(alice, bob, submit, controller, engine, settings):
    settings.MAX_RUNNING_JOBS = 1
    engine.slots = {"node-1": 4}
    first, second = submit(alice, count=1), submit(alice, count=1, name="Second")
    theirs = submit(bob, count=1)
    controller.tick()
    status = dict(Job.objects.values_list("id", "status"))
    assert (status[first.id], status[second.id], status[theirs.id]) == ("running", "queued", "running")
    run_to_end(controller, engine, second)


def test_trouble_with_one_job_does_not_stop_the_others(
    alice, bob, submit, controller, engine, clock, monkeypatch
):
    sick, sound = submit(alice, count=2), submit(bob, count=2)
    real = care.attend
    calls = []

    def attend(job, *args):
        if job.id == sick.id:
            calls.append(job.id)
            raise OSError(28, "No space left on device")
        return real(job, *args)

    monkeypatch.setattr(care, "attend", attend)
    run_to_end(controller, engine, sound)
    assert sound.status == "succeeded"
    sick.refresh_from_db()
    assert sick.reason == "Delayed, tried again soon: the server's disk is full."
    assert len(calls) == 1  # it pauses

    clock.move(1.1)
    controller.tick()
    assert len(calls) == 2
    monkeypatch.setattr(care, "attend", real)
    clock.move(30)
    run_to_end(controller, engine, sick)
    assert (sick.status, sick.reason) == ("succeeded", "")


def test_a_broker_that_is_away_delays_a_job_and_leaves_no_trace(alice, submit, controller, engine, clock):
    engine.broken = True
    job = submit(alice, count=2)
    controller.tick()
    job.refresh_from_db()
    assert job.reason == "Delayed, tried again soon: a part of the server does not answer."
    assert not Placement.objects.exists()
    engine.broken = False
    clock.move(1.1)
    run_to_end(controller, engine, job)
    assert (job.status, job.reason) == ("succeeded", "")


def test_killed_between_the_placement_and_its_start_the_worker_counts_as_lost(
    alice, submit, controller, engine, monkeypatch
):
    job = submit(alice, count=2, parallelism=1)
    monkeypatch.setattr(engine, "place", lambda spec: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        controller.tick()
    monkeypatch.undo()
    assert Placement.objects.get().state == "placed"
    run_to_end(controller, engine, job)
    assert (job.status, job.done) == ("succeeded", 2)
    assert Placement.objects.earliest("id").state == "lost"


def test_killed_between_the_folder_and_the_state_the_job_starts_later(
    alice, submit, controller, engine, monkeypatch
):
    job = submit(alice, count=3)
    folders.prepare(job, lanes=2)
    before = sorted(path.name for path in (folders.path_of(job.id) / "pending").iterdir())
    run_to_end(controller, engine, job)
    after = sorted(path.name for path in (folders.path_of(job.id) / "done").iterdir())
    assert (job.status, before) == ("succeeded", after)


def test_a_cancel_that_comes_before_the_start_wins(alice, submit, controller, engine, monkeypatch):
    job = submit(alice, count=2)
    real = folders.prepare

    def prepare(*args, **kwargs):
        real(*args, **kwargs)
        jobs.cancel(alice, job.id)

    monkeypatch.setattr(folders, "prepare", prepare)
    controller.tick()
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not Placement.objects.exists()


def do_chores(controller):
    """All that are due: a tick does one."""
    for _ in controller._chores._table:
        controller.tick()


def test_the_folder_of_a_removed_job_is_deleted(alice, submit, controller, engine, clock):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job)
    jobs.remove(alice, job.id)
    path = folders.path_of(job.id)
    os.utime(path, (0, 0))
    clock.move(301)
    do_chores(controller)
    assert not path.exists()


def test_an_orphaned_folder_that_is_still_written_is_left_alone(controller, clock, settings):
    spec = jobfolder.JobSpec(job="unknown", owner="x", app="bw", app_version="1")
    jobfolder.create(jobfolder.jobs_root(settings.DATA_DIR), spec, [])
    clock.move(301)
    do_chores(controller)
    assert folders.path_of("unknown").exists()


def test_the_folder_of_a_finished_job_goes_after_a_while(alice, submit, controller, engine, clock):
    job = submit(alice, count=2)
    run_to_end(controller, engine, job)
    engine.work()
    controller.tick()
    clock.move(11)
    controller.tick()
    assert folders.path_of(job.id).exists()
    Job.objects.update(finished=clock.now() - GRACE - timedelta(seconds=1))
    clock.move(11)
    do_chores(controller)
    job.refresh_from_db()
    assert job.cleaned_at == clock.now()
    assert not folders.path_of(job.id).exists()


def test_ticks_are_quick_while_a_job_runs_and_slow_when_there_is_none(
    alice, submit, controller, engine, clock
):
    assert controller.tick() == loop.IDLE
    job = submit(alice, count=2)
    assert controller.tick() == loop.BUSY
    run_to_end(controller, engine, job)
    engine.work()
    controller.tick()
    assert controller.tick() == loop.IDLE


def test_results_of_a_young_job_are_not_waited_for(alice, submit, controller, engine):
    submit(alice, count=2)
    controller.tick()
    [worker, _] = engine.running()
    controller.tick()
    worker.work(1)
    Timer(0.1, worker.work, [1]).start()

    began = monotonic()
    controller._wait(Event(), 20)  # by the clock of the tests, which stands still

    assert 0.1 <= monotonic() - began < 5


def test_it_runs_until_told_to_stop_and_frees_the_lease(controller, monkeypatch):
    stop = Event()
    ticks = []

    def tick() -> float:
        ticks.append(controller._lease.hold())
        if len(ticks) == 3:
            stop.set()
        bell().ring()
        return 60.0

    monkeypatch.setattr(controller, "tick", tick)
    controller.run(stop)
    assert ticks == [True, True, True]
    assert not Lease.objects.exists()


def test_the_command_looks_once(alice, submit, engine, monkeypatch):
    monkeypatch.setattr(loop, "get_engine", lambda: engine)
    job = submit(alice, count=1)
    call_command("controller", "--once")
    job.refresh_from_db()
    assert job.status == "running"


def test_the_command_ends_cleanly_on_a_signal(db, engine, monkeypatch, capsys):
    monkeypatch.setattr(loop, "get_engine", lambda: engine)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    real = loop.Controller.tick

    def tick(self) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        real(self)
        return 0.001

    monkeypatch.setattr(loop.Controller, "tick", tick)
    try:
        call_command("controller")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert capsys.readouterr().out == "controller: ready\n"
    assert not Lease.objects.exists()
