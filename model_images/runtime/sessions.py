"""Weights files as loaded networks: ONNX Runtime sessions, the most recently used ones kept in memory.

One thread a session, because nodes run one photo a core; no spinning, because other processes want the cores.
Sessions are made after a fork, never before it. ONNX Runtime is imported by the first load, so that apps
without weights start without it; `preload` imports it ahead.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from jobfolder import weights_path
from model_images.runtime import settings
from model_images.runtime.contract import BadImage, BadWeights, Tensor
from model_images.runtime.metadata import KEY, Family, WeightsMeta

if TYPE_CHECKING:
    import onnxruntime as ort

MAX_SESSIONS = 16
MEMORY_PER_BYTE = 2  # of a file: what is read and what is kept packed for the processor; measured 1.2 to 2.1
_QUIET = 4  # only fatal lines: what goes wrong is told by the exception, too
_NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "BFCArena", "not enough memory", "bad allocation")

log = logging.getLogger(__name__)


class Session:
    """One loaded weights file; implements `contract.Weights`. Used by one thread at a time."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Raises BadWeights `unknown_weights` or `broken_weights`, MemoryError."""
        ort = preload()
        try:
            self._session = ort.InferenceSession(
                str(path), _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise _load_error(path, error) from error
        self.meta = _meta(self._session)
        first = self._session.get_inputs()[0]
        self._input = first.name
        self._output = self._session.get_outputs()[0].name
        self._half = first.type == "tensor(float16)"
        self.input_shape = tuple(side if isinstance(side, int) else None for side in first.shape)

    def run(self, batch: Tensor) -> Tensor:
        """The first output for `batch`, float32. Raises BadImage `weights_failed`, MemoryError."""
        given = batch.astype(np.float16) if self._half else np.ascontiguousarray(batch)
        try:
            (output,) = self._session.run([self._output], {self._input: given})
        except Exception as error:  # its exceptions derive from nothing in common
            if _is_memory(error):
                raise MemoryError("running the weights") from error
            log.warning("weights failed on an input of %s: %s", batch.shape, error)
            raise BadImage("weights_failed", "The weights could not be run on this photo.") from error
        result = np.asarray(output, np.float32)
        if not np.isfinite(result).all():
            raise BadImage("weights_failed", "The weights gave numbers that are none (NaN or infinite).")
        return result


@dataclass(frozen=True)
class _Kept:
    session: Session
    memory: int


class SessionCache:
    """The sessions of a process by sha256: at most `count`, together at most `memory` bytes as estimated."""

    def __init__(self, memory: int, count: int = MAX_SESSIONS) -> None:
        self._memory = memory
        self._count = count
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._kept

    @property
    def memory(self) -> int:
        return sum(kept.memory for kept in self._kept.values())

    def get(self, data_dir: Path, sha256: str, family: Family | None = None) -> Session:
        """The session of these weights, loaded if need be; those unused for longest make room first. Raises
        BadWeights, MemoryError; ValueError for what is no sha256."""
        kept = self._kept.get(sha256) or self._load(weights_path(data_dir, sha256), sha256)
        self._kept.move_to_end(sha256)
        if family and kept.session.meta.family != family:
            raise BadWeights(
                "wrong_family", f"These weights are of the family {kept.session.meta.family}, not {family}."
            )
        return kept.session

    def _load(self, path: Path, sha256: str) -> _Kept:
        try:
            memory = path.stat().st_size * MEMORY_PER_BYTE
        except OSError:
            raise unknown(sha256) from None
        if memory > self._memory:
            raise BadWeights(
                "weights_too_large",
                f"These weights need about {memory / 1e6:.0f} MB of memory; at most "
                f"{self._memory / 1e6:.0f} MB can be used (WEIGHTS_MEMORY).",
            )
        self._evict(self._memory - memory, self._count - 1)
        kept = self._kept[sha256] = _Kept(Session(path), memory)
        return kept

    def _evict(self, memory: int, count: int) -> None:
        while self._kept and (self.memory > memory or len(self._kept) > count):
            self._kept.popitem(last=False)


@cache
def preload() -> Any:
    """ONNX Runtime, imported. Safe before a fork: importing it starts no thread."""
    import onnxruntime

    return onnxruntime


@cache
def sessions() -> SessionCache:
    """This process's. WEIGHTS_MEMORY is read once."""
    return SessionCache(int(settings.number("WEIGHTS_MEMORY", 1_000_000_000, low=1)))


def unknown(sha256: str) -> BadWeights:
    return BadWeights("unknown_weights", f"There are no weights {sha256[:12]}… on this machine.")


def _options(threads: int) -> ort.SessionOptions:
    ort = preload()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory goes back after each run: an arena keeps the most that it ever needed, and what it grabbed when a
    # run failed for lack of memory. Without it runs were measured to take no longer.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _QUIET
    return options


def _meta(session: ort.InferenceSession) -> WeightsMeta:
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise BadWeights("broken_weights", f"The weights file does not say what it is (no {KEY}).")
    try:
        return WeightsMeta.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadWeights(
            "broken_weights", "What the weights file says about itself can't be read."
        ) from error


def _load_error(path: Path, error: Exception) -> Exception:
    if _is_memory(error):
        return MemoryError("loading the weights")
    if not path.exists():
        return unknown(path.stem)
    log.warning("weights %s can't be loaded: %s", path.stem, error)
    return BadWeights("broken_weights", "The weights file is damaged or of a kind that can't be run.")


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY)
