"""Works through a job folder: claims chunks until none is pending. docs/architecture/02-job-folder.md.

A photo that can't be processed fails alone, with a reason in its document. What is wrong with the job or
with this machine (an app that this node lacks, a full disk) ends the worker: it gives its chunk back and
says why.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from jobfolder import (
    BadJobFolder,
    Chunk,
    ChunkImage,
    JobSpec,
    chunks,
    drive_path,
    leave_requested,
    read_spec,
    stop_requested,
)
from jobfolder.layout import (
    check_name,
    check_sha256,
    data_dir_of,
    drive_dir,
    read_bytes,
    read_json,
    temporary,
)
from jobfolder.results import Writer, finished_images
from model_images.runtime import registry, sessions
from model_images.runtime.contract import BadImage, BadParams, BadWeights, Context, Params, Weights
from model_images.runtime.outputs import save_outputs
from model_images.runtime.pulse import Pulse
from model_images.runtime.registry import AnyProcessor
from model_images.runtime.sources import open_source
from model_images.runtime.timelimit import TimedOut, time_limit
from model_images.runtime.work import Timings, apply, has_fit, image_limits, load_params, readable

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.01  # seconds

_NO_MEMORY = "Processing this photo needs more memory than a worker has."
_STRUCK = {
    "out_of_memory": _NO_MEMORY,
    "worker_died": f"{chunks.MAX_STRIKES} workers died while they had this photo in hand.",
    "timed_out": "Processing took longer than the time limit and had to be killed.",
}


class CannotRun(Exception):
    """The job can't be worked on here; the message says why."""


@contextmanager
def _disk(doing: str) -> Iterator[None]:
    """Trouble with the disk is no fault of the photo; a file that is not there may be."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CannotRun(f"{doing}: {error.strerror or error}") from error


def run(job_dir: Path, worker: str, node: str, isolation: list[str], **times: float | None) -> str:
    """Work until nothing is pending. Returns the reason of the exit, as in the heartbeat. `times`: when the
    process was `born` and had `imported` everything."""
    try:
        lock = _only_one(job_dir, worker)
    except FileNotFoundError:
        return "gone"
    if lock is None:
        return "duplicate"  # the heartbeat belongs to the other process
    try:
        pulse = Pulse(job_dir, worker, node, isolation, **times)
        pulse.start()
        reason = _run(job_dir, worker, node, pulse)
        pulse.stop(reason)
    finally:
        os.close(lock)
    return reason


def _run(job_dir: Path, worker: str, node: str, pulse: Pulse) -> str:
    try:
        return Batch(job_dir, worker, node, pulse).work()
    except Exception as error:
        if not (job_dir / "job.json").exists():
            return "gone"
        if isinstance(error, CannotRun | BadJobFolder):
            return f"error: {error}"
        log.exception("worker %s stops", worker)
        return f"error: {type(error).__name__}: {error}"


def _only_one(job_dir: Path, worker: str) -> int | None:
    """The lock that one process of this name holds; None when another has it. The kernel drops it when the
    process dies. Raises FileNotFoundError when the job's folder is gone."""
    path = job_dir / "workers" / f"{check_name(worker)}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


@dataclass(frozen=True)
class _Failure:
    code: str
    message: str


class Batch:
    """One worker on one job. The job's app, options and shared value are loaded once."""

    def __init__(self, job_dir: Path, worker: str, node: str, pulse: Pulse) -> None:
        self.job_dir = job_dir
        self.worker = worker
        self.node = node
        self.pulse = pulse
        self.spec: JobSpec = read_spec(job_dir)
        self.data_dir = data_dir_of(job_dir)
        self._drive = drive_dir(self.data_dir, self.spec.owner)
        self.processor = _processor(self.spec.app)
        self._params: dict[str, Params | BadParams] = {}
        self._terminated = False
        self.context = Context()

    def work(self) -> str:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._terminate)
        self.context = self._context()
        self.pulse.tell(now=True, state="working")
        while not (reason := self._interrupted()):
            chunk = chunks.claim(self.job_dir, self.worker) or self._wait_for_chunk()
            if chunk is None:
                return self._interrupted() or "done"
            if not self.pulse.has_claimed:
                self.pulse.tell(claimed=time.time())
            try:
                self._work_on(chunk)
            except BaseException:
                chunks.give_back(self.job_dir, chunk.name, self.worker)
                raise
        return reason

    def _wait_for_chunk(self) -> Chunk | None:
        """The next chunk that is added, where workers linger; None when none comes or it is to stop."""
        end = time.monotonic() + self.spec.linger
        while time.monotonic() < end and not self._interrupted():
            time.sleep(_LOOK_AGAIN)
            chunk = chunks.claim(self.job_dir, self.worker)
            if chunk is not None:
                return chunk
        return None

    def _terminate(self, signum: int, frame: FrameType | None) -> None:
        self._terminated = True

    def _interrupted(self) -> str:
        if self._terminated:
            return "terminated"
        if stop_requested(self.job_dir):
            return "stopped" if (self.job_dir / "job.json").exists() else "gone"
        return "left" if leave_requested(self.job_dir, self.worker) else ""

    def _work_on(self, chunk: Chunk) -> None:
        """Every photo of `chunk` that has no document yet; leaves it when it was given back, gives it back
        when the worker is to stop."""
        finished = finished_images(self.job_dir, chunk.name)
        struck = chunks.strikes(self.job_dir)
        with Writer(self.job_dir, chunk.name, self.worker) as results:
            for image in chunk.images:
                if image.image in finished:
                    continue
                if self._interrupted():
                    chunks.give_back(self.job_dir, chunk.name, self.worker)
                    return
                if not chunks.holds(self.job_dir, chunk.name, self.worker):
                    log.warning("worker %s lost its claim on %s", self.worker, chunk.name)
                    return
                self.pulse.tell(chunk=chunk.name, image=image.image, image_started=time.time())
                results.append(self._document(chunk, image, chunks.verdict(struck.get(image.image, []))))
                self.pulse.tell(image=None, image_started=None, images=self.pulse.images + 1)
        chunks.finish(self.job_dir, chunk.name, self.worker)

    def _document(self, chunk: Chunk, image: ChunkImage, struck: str | None) -> dict[str, Any]:
        started = time.time()
        timings = Timings()
        facts: dict[str, Any] = {"width": None, "height": None, "bytes": None, "outputs": [], "data": None}
        failure = _Failure(struck, _STRUCK[struck]) if struck else self._process(image, timings, facts)
        if failure:
            facts |= {"outputs": [], "data": None}
        return {
            "job": self.spec.job,
            "image": image.image,
            "position": image.position,
            "name": image.name,
            "sha256": image.sha256,
            "attempt": chunk.attempt,
            "app_version": self.processor.version,
            "status": "failed" if failure else "ok",
            "error": {"code": failure.code, "message": failure.message} if failure else None,
            "node": self.node,
            "worker": self.worker,
            "started": started,
            "finished": time.time(),
            **facts,
            "timings": timings.ms,
        }

    def _process(self, image: ChunkImage, timings: Timings, facts: dict[str, Any]) -> _Failure | None:
        """Fill `facts` with what came of `image`, or say why nothing did."""
        limits = self.spec.limits
        try:
            with time_limit(limits.image_seconds):
                self._make(image, timings, facts)
        except TimedOut:
            return _Failure("timed_out", f"Processing took longer than {limits.image_seconds:g} seconds.")
        except BadImage as error:
            return _Failure(error.code, error.message)
        except BadParams as error:
            return _Failure("invalid_params", error.message)
        except BadWeights as error:  # not the photo's fault, and the same for all others
            raise CannotRun(error.message) from error
        except CannotRun:
            raise
        except Exception as error:
            if isinstance(error, MemoryError) or "Insufficient memory" in str(error):
                return _Failure("out_of_memory", _NO_MEMORY)
            log.exception("%s failed on image %s", self.spec.app, image.image)
            return _Failure("app_error", f"The app failed on this photo ({type(error).__name__}).")
        return None

    def _make(self, image: ChunkImage, timings: Timings, facts: dict[str, Any]) -> None:
        params = self._params_of(image)
        limits = self.spec.limits
        with timings.of("read_ms"):
            data = self._read(image.sha256)
            facts["bytes"] = len(data)
            source = open_source(data, image_limits(limits))
        facts |= {"width": source.header.width, "height": source.header.height}
        done = apply(self.processor, source, params, self.context, limits, timings)
        with timings.of("write_ms"):
            if done.data is not None:
                json.dumps(done.data, allow_nan=False)  # a faulty processor fails its photo, not the worker
                facts["data"] = dict(done.data)
            with _disk("writing a result"):
                facts["outputs"] = save_outputs(self.job_dir, image, done)

    def _read(self, sha256: str) -> bytes:
        try:
            with _disk("reading a photo"):
                return read_bytes(f"{self._drive}/{check_sha256(sha256)}")
        except FileNotFoundError:
            raise BadImage("missing", "The photo is no longer in the drive.") from None

    def _params_of(self, image: ChunkImage) -> Params:
        """Options are checked once for each distinct set of them. Raises BadParams."""
        raw: Mapping[str, Any] = self.spec.params if image.params is None else image.params
        key = "" if image.params is None else json.dumps(raw, sort_keys=True)
        if key not in self._params:
            try:
                self._params[key] = load_params(self.processor, raw)
            except BadParams as error:
                self._params[key] = error
        found = self._params[key]
        if isinstance(found, BadParams):
            raise found
        return found

    def _context(self) -> Context:
        cache = self.data_dir / "cache" / self.spec.owner
        path = partial(drive_path, self.data_dir, self.spec.owner)
        assets = {option: [path(digest) for digest in all_] for option, all_ in self.spec.assets.items()}
        shared = self._shared() if has_fit(self.processor) else None
        return Context(shared, assets, cache if cache.is_dir() else None, self._weights())

    def _weights(self) -> Weights | None:
        """Loaded once a job. Raises CannotRun."""
        if not self.processor.needs_weights:
            return None
        if self.spec.weights is None:
            raise CannotRun(f"the job names no weights, and {self.processor.name} needs some")
        try:
            return sessions.sessions().get(self.data_dir, self.spec.weights, self.processor.family)
        except BadWeights as error:
            raise CannotRun(error.message) from error
        except MemoryError:
            raise CannotRun("loading the weights needs more memory than a worker has") from None

    def _shared(self) -> Mapping[str, Any] | None:
        """What `fit` returned: the same for all workers, because the first to link its file wins."""
        path = self.job_dir / "shared.json"
        if not path.exists():
            partial_path = temporary(path)
            partial_path.write_text(json.dumps({"shared": self._fit()}, allow_nan=False), encoding="utf-8")
            try:
                path.hardlink_to(partial_path)
            except FileExistsError:
                pass
            finally:
                partial_path.unlink()
        shared = read_json(path).get("shared")
        return shared if isinstance(shared, Mapping) else None

    def _fit(self) -> Mapping[str, Any] | None:
        try:
            params = load_params(self.processor, self.spec.params)
            with time_limit(self.spec.limits.image_seconds):
                sources = readable(self._sample(), image_limits(self.spec.limits))
                return self.processor.fit(sources, params) if sources else None
        except BadParams as error:
            raise CannotRun(error.message) from None
        except TimedOut:
            raise CannotRun("fitting the app to the photos took longer than the time limit") from None

    def _sample(self) -> Iterator[bytes]:
        for digest in self.spec.sample:
            try:
                yield self._read(digest)
            except BadImage:
                continue


def _processor(name: str) -> AnyProcessor:
    try:
        return registry.processors()[name]
    except KeyError:
        raise CannotRun(f"this node has no app called {name!r}") from None
