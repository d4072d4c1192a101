"""What buyers are told about weights, measured: latency, size, samples. Writes card.json and samples/."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

from model_images.converter import shapes, trial
from model_images.converter.checking import example_input
from model_images.converter.onnxfile import embedded_meta
from model_images.converter.samples import make_samples
from model_images.converter.shapes import Signature
from model_images.converter.steps import CARD, WEIGHTS, write_json
from model_images.runtime.contract import Tensor
from model_images.runtime.metadata import WeightsMeta

RUNS, RUN_SECONDS = 15, 4.0  # of each measurement: as many, or as long
WARM_UP = 2


def measure(out: Path) -> dict[str, Any]:
    """Raises Rejected as `trial` does."""
    path = out / WEIGHTS
    model = onnx.load(str(path), load_external_data=False)
    meta = embedded_meta(model)
    if meta is None:
        raise ValueError("weights.onnx comes without its metadata")
    signature = shapes.signature(model)
    checked = json.loads((out / "check.json").read_text())
    converted = json.loads((out / "convert.json").read_text())
    example = example_input(meta, signature)
    latency = {str(threads): _latency(path, threads, example) for threads in (1, 2)}
    card = {
        "family": meta.family,
        "task": meta.task,
        "architecture": meta.architecture,
        "input": _input(meta, signature, example),
        "output": meta.output,
        "upscale": meta.upscale,
        "classes": list(meta.classes),
        "parameters": parameters(model),
        "bytes": path.stat().st_size,
        "opset": checked["opset"],
        "sha256": _sha256(path),
        "latency_ms": latency,
        "compared": converted["compared"],
        "scan": checked["scan"],
        "license": meta.license,
        "source": meta.source,
        "quality": dict(meta.quality),
        "samples": make_samples(meta, path, out / "samples"),
    }
    write_json(out / CARD, card)
    return {"status": "ok", "sha256": card["sha256"], "bytes": card["bytes"], "latency_ms": latency}


def parameters(model: onnx.ModelProto) -> int:
    """Values of all constants that are no whole numbers (those are shapes and axes)."""
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.data_type in kinds)


def _latency(path: Path, threads: int, example: Tensor) -> float:
    """Milliseconds of the network alone for one input, warm: the median."""
    loaded = trial.session(path, threads)
    for _ in range(WARM_UP):
        trial.run(loaded, example)
    times: list[float] = []
    while len(times) < RUNS and (sum(times) < RUN_SECONDS or len(times) < 3):
        began = time.perf_counter()
        trial.run(loaded, example)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1000, 3)


def _input(meta: WeightsMeta, signature: Signature, example: Tensor) -> dict[str, Any]:
    free = len(signature.input) == 4 and signature.input[2] is None
    return {
        **meta.input.model_dump(
            include={"channels", "color", "width", "height", "resize", "resize_to", "multiple", "latent"}
        ),
        "free_size": free and not meta.input.latent,
        "free_batch": signature.input[0] is None,
        "measured_at": list(example.shape),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
