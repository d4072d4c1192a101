"""A network's first run, on a stock photo, in the locked-in process: what it can't do here it can't do
later."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from model_images.converter import limits, onnxfile
from model_images.converter.architecture import Rejected
from model_images.runtime.contract import Tensor

_MEMORY = ("bad allocation", "bad_alloc", "Failed to allocate", "out of memory", "allocate memory")


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """Raises Rejected: too_much_memory, not_runnable."""
    try:
        return ort.InferenceSession(
            str(path), onnxfile.session_options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own classes have no common base
        raise _refusal(error, "be loaded") from error


def run(loaded: ort.InferenceSession, batch: Tensor) -> Tensor:
    """The first output. Raises Rejected: too_much_memory, not_runnable, too_slow, not_finite,
    wrong_output."""
    began = time.perf_counter()
    try:
        outputs = loaded.run(None, {loaded.get_inputs()[0].name: batch})
    except Exception as error:
        raise _refusal(error, f"run on an input of {batch.shape}") from error
    seconds = time.perf_counter() - began
    if seconds > limits.SLOW * batch.shape[0]:
        raise Rejected(
            "too_slow", f"One photo takes {seconds:.0f} s on one core; {limits.SLOW:.0f} s are the limit."
        )
    output = outputs[0]
    if not isinstance(output, np.ndarray) or output.dtype != np.float32:
        kind = getattr(output, "dtype", type(output).__name__)
        raise Rejected("wrong_output", f"The first output is of type {kind}; float32 is needed.")
    if not np.isfinite(output).all():
        raise Rejected(
            "not_finite", "On a real photo the output holds values that are not numbers (NaN or infinite)."
        )
    return output


def _refusal(error: Exception, what: str) -> Rejected:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(sign in text for sign in _MEMORY):
        return Rejected("too_much_memory", "The model takes more memory than a worker has.")
    return Rejected("not_runnable", f"The model can't {what} by ONNX Runtime: {text[:250]}")
