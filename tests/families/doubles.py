"""A network that is a function, and photos that are arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_images.runtime.contract import Context, Result
from model_images.runtime.metadata import InputMeta, WeightsMeta
from tests.filters.doubles import ArraySource

_TASKS = {"yolov5": "detection", "gan": "image_to_image", "classifier": "classification"}
_OUTPUTS = {"yolov5": "yolov5", "gan": "image", "classifier": "logits"}


class Network:
    """Implements `contract.Weights`. `seen` are the batches that it was run on."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray], family: str, **meta: Any) -> None:
        self.function = function
        values = {"family": family, "task": _TASKS[family], "output": _OUTPUTS[family]}
        values["input"] = InputMeta(width=64, height=64, resize="letterbox")
        self.meta = WeightsMeta(**(values | meta))
        self.input_shape: tuple[int | None, ...] = (None, 3, None, None)
        self.seen: list[np.ndarray] = []

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.seen.append(batch)
        return np.asarray(self.function(batch), np.float32)


def run(processor, network: Network, pixels, **options: Any) -> Result:
    source = ArraySource(pixels) if isinstance(pixels, np.ndarray) else pixels
    return processor.process(source, processor.Params(**options), Context(weights=network))
