"""Runs batches in forked, locked-in processes, watches them, and cleans up after those that die.

The fork server is a process of its own, single-threaded and warm: forking the node itself, which has
threads, would copy their locks in unknown states. Life lines: the server ends when the node's end of a pipe
closes, a batch when the server ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing import connection, forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

from jobfolder import (
    BadJobFolder,
    Heartbeat,
    job_dir,
    leave_requested,
    read_spec,
    read_worker,
    release,
    stop_requested,
    write_worker,
)
from model_images.runtime import child, forked
from model_images.runtime.settings import scrub_environment

TICK = 0.1  # seconds between looks at a running batch
GRACE = 5.0  # seconds beyond the time limit before a process is killed; the alarm inside comes first
LEAVE = 8.0  # seconds that a batch has to finish its photo when the node is to stop
MAX_STARTS = 3  # deaths in a row with no photo in hand: this node can't run the job

log = logging.getLogger(__name__)


@dataclass
class Running:
    process: BaseProcess
    folder: Path
    worker: str
    limit: float
    killed_for: str | None = "worker_died"  # the strike's code should it die; None when the node kills it


class Supervisor:
    """One a node. `run` may be called from several threads."""

    def __init__(self, data_dir: Path, node: str) -> None:
        self._data_dir = data_dir
        self._node = node
        self._context = multiprocessing.get_context("forkserver")
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # multiprocessing's bookkeeping is not made for threads
        self._running: set[tuple[str, str]] = set()

    @property
    def running(self) -> list[str]:
        """Names of the workers in this node's slots."""
        with self._lock:
            return sorted(worker for _, worker in self._running)

    def start(self) -> None:
        """Start the fork server, which imports everything. Takes the secrets out of this process's
        environment: should the server die, multiprocessing starts another at the next batch."""
        scrub_environment()
        self._context.set_forkserver_preload(["model_images.runtime.warm"])
        forkserver.ensure_running()

    def stop(self) -> None:
        """Ask all batches to stop; their `run` returns once they have."""
        self._stopping.set()

    def run(self, job: str, worker: str) -> str:
        """Work on `job` as `worker` until nothing is pending. Returns why it ended. Harmless when the job is
        gone, finished, or already worked on under this name."""
        key = (job, worker)
        with self._lock:
            if key in self._running:
                return "duplicate"
            self._running.add(key)
        try:
            return self._run(job_dir(self._data_dir, job), worker)
        finally:
            with self._lock:
                self._running.discard(key)

    def _run(self, folder: Path, worker: str) -> str:
        deaths = 0  # in a row, without a photo in hand
        while not self._stopping.is_set():
            try:
                limit = read_spec(folder).limits.image_seconds
            except FileNotFoundError:
                return "gone"
            except BadJobFolder as error:
                return self._give_up(folder, worker, f"error: {error}")
            if stop_requested(folder):
                return "stopped"
            if leave_requested(folder, worker):
                return "left"
            reason, released = self._once(folder, worker, limit)
            if reason:
                return reason
            deaths = 0 if released else deaths + 1
            if deaths >= MAX_STARTS:
                return self._give_up(folder, worker, f"error: the worker died {deaths} times at its start")
            if not released:
                self._stopping.wait(TICK)
        return "terminated"

    def _once(self, folder: Path, worker: str, limit: float) -> tuple[str, list[str]]:
        """One process. Why it ended, "" if it died; and the chunks that were taken from it after its
        death."""
        try:
            running = self._fork(folder, worker, limit)
        except (EOFError, OSError) as error:  # the fork server died; the next start brings up another
            log.warning("worker %s could not be forked: %r", worker, error)
            return "", []
        status = self._watch(running)
        if status == child.EXIT_DUPLICATE:
            return "duplicate", []
        released = release(folder, worker, self._cause(running, status))
        beat = read_worker(folder, worker)
        if beat is not None and beat.pid == running.process.pid and beat.state == "exited":
            return beat.reason, released
        log.warning("worker %s ended with status %s; given back: %s", worker, status, released)
        return "", released

    def _cause(self, running: Running, status: int | None) -> str | None:
        """The code of the strike that a death with this status is; None: no strike."""
        return running.killed_for

    def _fork(self, folder: Path, worker: str, limit: float) -> Running:
        arguments = (str(folder), worker, self._node)
        process = self._context.Process(
            target=forked.main, args=arguments, name=f"batch-{worker}", daemon=True
        )
        with self._lock:
            process.start()
        return Running(process, folder, worker, limit)

    def _watch(self, running: Running) -> int | None:
        """Wait for the process, and end it where it must. Its exit status, negative for a signal."""
        asked_at = None
        while not connection.wait([running.process.sentinel], TICK):
            if self._stopping.is_set():
                if asked_at is None:
                    asked_at = time.monotonic()
                    running.process.terminate()
                elif time.monotonic() - asked_at > LEAVE:
                    running.killed_for = None
                    running.process.kill()
            elif overdue(read_worker(running.folder, running.worker), running.process.pid, running.limit):
                log.warning("worker %s runs past the time limit and is killed", running.worker)
                running.killed_for = "timed_out"
                running.process.kill()
        with self._lock:
            running.process.join()
            return running.process.exitcode

    def _give_up(self, folder: Path, worker: str, reason: str) -> str:
        """Say in the worker's heartbeat, for the controller, what the worker can't say any more."""
        now = time.time()
        beat = read_worker(folder, worker) or Heartbeat(worker, self._node, 0, now, now)
        try:
            write_worker(folder, replace(beat, node=self._node, time=now, state="exited", reason=reason))
        except OSError as error:
            log.warning("heartbeat of %s not written: %s", worker, error)
        log.error("worker %s: %s", worker, reason)
        return reason


def overdue(beat: Heartbeat | None, pid: int | None, limit: float, now: float | None = None) -> bool:
    """Whether a process has had one photo in hand, or been starting, for too long, or has stopped beating."""
    if beat is None or beat.pid != pid or beat.state == "exited":
        return False
    now = time.time() if now is None else now
    since = beat.image_started if beat.image else beat.started if beat.state == "starting" else None
    return (since is not None and now - since > limit + GRACE) or beat.age(now) > limit + GRACE
