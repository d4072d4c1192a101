"""One batch with a process that looks after it, for a container that runs a single worker.

On the embedded engine a node does this for all its batches (supervisor.py). In a pod nobody would: a process
that dies over a photo would take the pod with it, and five pods would have to start and die before the photo
fails. Here the first process imports everything, forks the worker and waits. It handles no photo, and what it
knows of the worker it reads from the job's folder.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

from jobfolder import read_worker, release
from model_images.runtime import child, lockin
from model_images.runtime.memory import ooms
from model_images.runtime.pulse import born
from model_images.runtime.settings import scrub_environment
from model_images.runtime.supervisor import Running, Supervisor

SILENT = 3.0  # seconds without a heartbeat, which comes twice a second

log = logging.getLogger(__name__)


class Alone(Supervisor):
    """`run` from one thread, before any other is started: it forks this very process."""

    def __init__(self, data_dir: Path, node: str) -> None:
        super().__init__(data_dir, node)
        self._times = {"born": born()}
        self._ooms = ooms()

    def start(self) -> None:
        scrub_environment()
        from model_images.runtime import warm

        assert warm  # noqa: S101 - imported for its effect: children start with everything in memory
        self._times["imported"] = time.time()

    def _fork(self, folder: Path, worker: str, limit: float) -> Running:
        arguments = (folder, worker, self._node, os.getpid(), self._times)
        process = multiprocessing.get_context("fork").Process(target=_work, args=arguments, daemon=True)
        process.start()
        return Running(process, folder, worker, limit)

    def _cause(self, running: Running, status: int | None) -> str | None:
        """Whether it was the kernel that ended the process, for want of memory."""
        before, self._ooms = self._ooms, ooms()
        if running.killed_for == "worker_died" and status == -signal.SIGKILL and self._ooms > before:
            return "out_of_memory"
        return super()._cause(running, status)


def main(job_dir: Path, worker: str, node: str) -> int:
    """As `child.main`, and again after each death of the worker. SIGTERM has it finish the photo in hand."""
    alone = Alone(job_dir.parent.parent, node)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: alone.stop())
    alone.start()
    _clear_up(job_dir, worker)
    reason = alone.run(job_dir.name, worker)
    if reason == "duplicate":
        return child.EXIT_DUPLICATE
    return child.EXIT_ERROR if reason.startswith("error") else child.EXIT_OK


def _clear_up(job_dir: Path, worker: str) -> None:
    """Give back what an earlier process of this name had claimed: a Job whose pod was deleted may make
    another. A process that still beats, in another pod, is left alone."""
    beat = read_worker(job_dir, worker)
    if beat is not None and beat.state != "exited" and beat.age(time.time()) > SILENT:
        release(job_dir, worker)


def _work(folder: Path, worker: str, node: str, parent: int, times: dict[str, float | None]) -> None:
    """Never returns. The worker ends with the process that looks after it."""
    lockin.die_with_parent(signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # until the batch has its own
    if os.getppid() != parent:
        os._exit(child.EXIT_ERROR)
    status = child.EXIT_ERROR
    try:
        status = child.main(folder, worker, node, times)
    except Exception:
        log.exception("worker %s could not run", worker)
    finally:
        logging.shutdown()
        os._exit(status)
