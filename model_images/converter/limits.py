"""What a step of the converter may take. Beyond it the upload is refused, never the platform slowed."""

from __future__ import annotations

SECONDS = {
    "convert": 300,
    "check": 120,
    "measure": 240,
}  # by the clock; the processor's time is bounded by twice it
MAX_NODES = 20_000  # operators of an ONNX model, those in branches counted too
MAX_DEPTH = 8  # of branches within branches
MAX_SIDE = 4096  # pixels of a fixed input
MAX_TENSOR = 1 << 30  # bytes of one tensor, by shape inference with the example input
MAX_RANK = 8
MIN_OPSET, MAX_OPSET = 9, 24
MAX_CLASSES = 20_000
SLOW = 30.0  # seconds for one photo on one thread
TRIAL_SIDE = 256  # pixels, where the input's size is free
TOLERANCE = 1e-3  # between ONNX Runtime's output and torch's, relative to the largest value
