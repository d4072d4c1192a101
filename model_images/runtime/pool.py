"""Keeps warm preview workers, asks them, and replaces those that died or took too long."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from model_images.runtime import previewing
from model_images.runtime.messages import pack, receive, send
from model_images.runtime.settings import scrub_environment

_PONG_SECONDS = 2.0

log = logging.getLogger(__name__)


class Failed(Exception):
    """A worker was lost over a question; `code` and `message` are for whoever asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class _Worker:
    process: ForkServerProcess
    pipe: Connection
    weights: set[str] = field(default_factory=set)  # that it has been asked for


class Pool:
    """`ask` blocks, and may be called from as many threads as there are slots."""

    def __init__(self, data_dir: Path, slots: int, seconds: float) -> None:
        self._data_dir = data_dir
        self._slots = slots
        self._seconds = seconds
        self._context = multiprocessing.get_context("forkserver")
        self._lock = threading.Lock()  # multiprocessing's bookkeeping is not made for threads
        self._idle: list[_Worker] = []
        self._busy = 0

    def start(self) -> None:
        """Start the fork server and a worker for each slot. Takes the secrets out of the environment. Raises
        RuntimeError when workers die at once, such as for a library that can't be imported."""
        scrub_environment()
        self._context.set_forkserver_preload(["model_images.runtime.warm"])
        forkserver.ensure_running()
        self._idle = [self._start(None) for _ in range(self._slots)]
        if not self.ready():
            raise RuntimeError("preview workers can't be started; what they wrote stands above")

    def stop(self) -> None:
        with self._lock:
            workers, self._idle = self._idle, []
        for worker in workers:
            self._end(worker)

    def ask(
        self, question: Mapping[str, Any], photo: bytes, owner: str | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """A worker's answer: its head, and the image's bytes. With `owner`, by a fresh worker that can read
        that owner's files. Raises Failed."""
        message = pack(question, photo)
        wanted = question.get("weights")
        worker = self._take(owner, wanted)
        kept = False
        with self._lock:
            self._busy += 1
        try:
            send(worker.pipe, message)
            if not worker.pipe.poll(self._seconds):
                text = f"Processing took longer than {self._seconds:g} seconds."
                raise Failed("timed_out", text)
            head, body = receive(worker.pipe)
            kept = owner is None
            if wanted:
                worker.weights.add(wanted)
            return head, body
        except (EOFError, OSError, ValueError) as error:
            log.warning("a preview worker was lost: %r", error)
            raise Failed("worker_died", "The process that worked on this photo died over it.") from error
        finally:
            with self._lock:
                self._busy -= 1
            if kept:
                self._keep(worker)
            else:
                self._end(worker)

    def _take(self, owner: str | None, weights: str | None = None) -> _Worker:
        """An idle worker that is still alive, if possible one that has the weights loaded, or a new one."""
        while owner is None:
            with self._lock:
                worker = self._pick(weights)
            if worker is None:
                break
            if not worker.pipe.poll(0):  # nothing to read: it waits for a question, and did not close
                return worker
            self._end(worker)
        try:
            return self._start(owner)
        except (EOFError, OSError) as error:  # the fork server died; the next start brings up another
            log.warning("starting a preview worker again after %r", error)
            return self._start(owner)

    def _pick(self, weights: str | None) -> _Worker | None:
        """The one that was used last, before others. Call it with the lock held."""
        if not self._idle:
            return None
        order = range(len(self._idle) - 1, -1, -1)
        return self._idle.pop(next((i for i in order if weights in self._idle[i].weights), -1))

    def ready(self) -> bool:
        """Whether a question would find a worker: some are at work, or one waits, or can be started, and
        answers."""
        # Workers that just died with their fork server may still look alive: one of them is no verdict.
        return bool(self._busy) or self._one_answers() or self._one_answers()

    def _one_answers(self) -> bool:
        try:
            worker = self._take(None)
        except (EOFError, OSError) as error:
            log.warning("no preview worker can be started: %r", error)
            return False
        alive = False
        try:
            alive = self._answers(worker)
        except (EOFError, OSError, ValueError) as error:
            log.warning("a preview worker does not answer: %r", error)
        finally:
            if alive:
                self._keep(worker)
            else:
                self._end(worker)
        return alive

    def _answers(self, worker: _Worker) -> bool:
        """Locked in, and with everything imported: one that can't be is started all the same, and dies."""
        send(worker.pipe, pack(previewing.PING))
        return worker.pipe.poll(_PONG_SECONDS) and receive(worker.pipe) == (previewing.PING, b"")

    def _keep(self, worker: _Worker) -> None:
        with self._lock:
            if kept := len(self._idle) < self._slots:
                self._idle.append(worker)
        if not kept:
            self._end(worker)

    def _start(self, owner: str | None) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=previewing.main, args=(theirs, str(self._data_dir), owner), daemon=True
        )
        with self._lock:
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _end(self, worker: _Worker) -> None:
        worker.pipe.close()
        with self._lock:
            worker.process.kill()
            worker.process.join()
