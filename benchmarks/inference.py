"""Each family from file to answer: our processor on ONNX Runtime, the same on torch, and ultralytics'.

All in one process and in turns, with the same number of threads. `ours`, `torch` and `ultralytics` are
milliseconds a photo from the bytes of a JPEG (1152 × 864) to boxes, an encoded picture or probabilities;
`torch` is our processor with the network run by torch, so that the difference is the engine's alone.
`network` and `network_torch` are the network by itself. Our processor takes one photo at a time: at batch 8
it takes eight of them one after another, ultralytics gets eight at once. `two_workers` is our processor in
two threads with a session of one thread each, as two slots of a node run. Both detectors letterbox the photo
to 640 × 480, have the same weights, the same least confidence and the same overlap.

Seconds are those of the clock. On a machine that has other work, `--busy` counts seconds of the processor,
and leaves out what two threads would do.

Networks hold random numbers, so a detector finds little: decoding, fitting in, the network, the filter by
confidence are all there, suppression has little to do on either side. What is not installed is left out, and
the report says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from model_images.runtime import threads  # isort: skip - first: it sets what NumPy and OpenCV read

import cv2
import numpy as np
import torch

import jobfolder
from benchmarks import _networks
from benchmarks._common import interleaved, median_ms, ratio
from benchmarks._networks import Made
from benchmarks._photos import photo
from model_images.runtime import tensors
from model_images.runtime.contract import Context, Processor, Tensor, Weights
from model_images.runtime.imageio import encode, open_source
from model_images.runtime.registry import processors
from model_images.runtime.sessions import Session

assert threads
OPTIONS: dict[str, dict[str, Any]] = {"yolov5": {"draw": False}, "gan": {"size": 256}, "classifier": {}}
BATCHES, THREADS = (1, 8), (1, 2)


class TorchWeights:
    """The same network by torch; implements `contract.Weights`."""

    def __init__(self, made: Made) -> None:
        self.meta = made.built.meta
        self.input_shape: tuple[int | None, ...] = (None,) * made.built.example.ndim
        self._module = made.built.module.eval()

    def run(self, batch: Tensor) -> Tensor:
        with torch.inference_mode():
            return np.asarray(self._module(torch.from_numpy(batch)).numpy())


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks inference")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--family", choices=list(OPTIONS), help="this one only")
    parser.add_argument("--busy", action="store_true", help="processor time, one thread only")
    options = parser.parse_args(argv)
    theirs = _networks.ultralytics_model() if _networks.has_ultralytics() else None
    skipped = [] if theirs else ["ultralytics is not installed: its predict was not measured"]
    rows = []
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        root = Path(folder)
        files = _files(root)
        makers: dict[str, Callable[[], Made]] = {
            "yolov5": lambda: _networks.detector(root, theirs),
            "gan": lambda: _networks.generator(root),
            "classifier": lambda: _networks.classifier(root),
        }
        for made in [make() for family, make in makers.items() if options.family in (None, family)]:
            peer = theirs if made.built.meta.family == "yolov5" else None
            for count in THREADS[:1] if options.busy else THREADS:
                for batch in BATCHES:
                    clock = time.process_time if options.busy else time.perf_counter
                    rows.append(_row(made, files[:batch], count, peer, 3 if options.quick else 9, clock))
                    print(rows[-1], flush=True)
    for line in skipped:
        print(line)
    return {"clock": "processor" if options.busy else "wall", "rows": rows, "skipped": skipped}


def _files(root: Path) -> list[Path]:
    files = [root / f"photo{number}.jpg" for number in range(max(BATCHES))]
    for number, file in enumerate(files):
        file.write_bytes(photo(number))
    return files


def _row(
    made: Made, files: Sequence[Path], count: int, theirs: Any, rounds: int, clock: Callable[[], float]
) -> dict[str, Any]:
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    contenders = _contenders(made, files, count, theirs)
    seconds = interleaved(contenders, rounds, clock)
    each = {name: round(median_ms(values) / len(files), 2) for name, values in seconds.items()}
    row: dict[str, Any] = {"network": made.name, "batch": len(files), "threads": count}
    row |= {f"{name}_ms": value for name, value in each.items()}
    row["torch_by_ours"] = ratio(seconds["torch"], seconds["ours"])
    if theirs is not None:
        row["ultralytics_by_ours"] = ratio(seconds["ultralytics"], seconds["ours"])
        if count > 1:
            row["ultralytics_by_two_workers"] = ratio(seconds["ultralytics"], seconds["two_workers"])
    return row


def _contenders(
    made: Made, files: Sequence[Path], count: int, theirs: Any
) -> dict[str, Callable[[], object]]:
    path = jobfolder.weights_path(made.data_dir, made.sha256)
    session, engine = Session(path, count), TorchWeights(made)
    processor = processors()[made.built.meta.family]
    shape = made.built.example.shape[1:]
    if made.built.meta.input.resize == "letterbox":
        fitted = tensors.plan(open_source(files[0].read_bytes()).header, made.built.meta.input)
        shape = (shape[0], fitted.height, fitted.width)
    batch = np.random.default_rng(1).random((len(files), *shape), np.float32)
    found: dict[str, Callable[[], object]] = {
        "ours": lambda: [_answer(processor, session, file) for file in files],
        "torch": lambda: [_answer(processor, engine, file) for file in files],
        "network": lambda: session.run(batch),
        "network_torch": lambda: engine.run(batch),
    }
    if theirs is not None:
        names = [str(file) for file in files]
        found["ultralytics"] = lambda: theirs.predict(
            names, imgsz=640, batch=len(names), conf=0.25, iou=0.45, device="cpu", verbose=False
        )
    if count > 1:
        workers = [Session(path) for _ in range(count)]
        pool = ThreadPoolExecutor(count)

        def side_by_side() -> object:
            parts = [list(files[number::count]) for number in range(count)]
            return list(pool.map(lambda w, part: [_answer(processor, w, f) for f in part], workers, parts))

        found["two_workers"] = side_by_side
    return found


def _answer(processor: Processor[Any], weights: Weights, file: Path) -> object:
    params = processor.Params(**OPTIONS[processor.name])
    result = processor.process(open_source(file.read_bytes()), params, Context(weights=weights))
    return encode(result.image) if result.image is not None else result.data


def plot(report: dict[str, Any], axes: Any) -> None:
    """Milliseconds a photo at one thread and batch 1."""
    rows = [row for row in report["rows"] if row["batch"] == 1 and row["threads"] == 1]
    for offset, name in enumerate(("ours", "torch", "ultralytics")):
        at = [number + 0.25 * (offset - 1) for number in range(len(rows))]
        axes.barh(at, [row.get(f"{name}_ms", 0) for row in rows], 0.25, label=name)
    axes.set_yticks(range(len(rows)), [row["network"] for row in rows])
    axes.set_xlabel("milliseconds a photo, one thread")
    axes.legend()
    axes.invert_yaxis()
