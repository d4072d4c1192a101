"""Tiny weights files whose right output can be worked out by hand. Built with `onnx.helper`, no training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import jobfolder
from model_images.runtime.metadata import KEY, InputMeta, WeightsMeta

Shape = Sequence[int | str]


def model(
    nodes: Sequence[onnx.NodeProto],
    shape: Shape,
    meta: WeightsMeta | str | None,
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    output: Shape | None = None,
    kind: int = TensorProto.FLOAT,
) -> bytes:
    """An ONNX file with one input `images` and one output `output`. `meta` as text is written as it is."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("images", kind, list(shape))],
        [helper.make_tensor_value_info("output", kind, None if output is None else list(output))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if meta is not None:
        text = meta if isinstance(meta, str) else meta.model_dump_json()
        helper.set_model_props(made, {KEY: text})
    return made.SerializeToString()


def keep(data_dir: Path, data: bytes) -> str:
    """Put a weights file where the runtime looks for it. Its sha256."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = jobfolder.weights_path(data_dir, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return sha256


def classifier(*, output: str = "logits", padding: int = 0, **changes: Any) -> bytes:
    """Three classes: the mean of red, of green and of blue, each times 4, are the logits. `padding`: so many
    more bytes of numbers, which do nothing."""
    values = {
        "family": "classifier",
        "task": "classification",
        "input": InputMeta(width=8, height=8),
        "output": output,
        "classes": ("red", "green", "blue"),
        "architecture": "means",
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "four"], ["output" if output == "logits" else "scaled"]),
    ]
    if output == "probabilities":
        nodes.append(helper.make_node("Softmax", ["scaled"], ["output"], axis=1))
    constants = {"four": np.float32(4)}
    if padding:
        constants["padding"] = np.random.default_rng(3).random(padding // 4, np.float32)
    return model(nodes, ("batch", 3, 8, 8), WeightsMeta(**(values | changes)), constants)


def detector(rows: Sequence[Sequence[float]], **changes: Any) -> bytes:
    """Whatever the photo, these rows: centre x, centre y, width, height in input pixels, objectness, a score
    for each class. As `yolov5u`: the same without the objectness."""
    values = {
        "family": "yolov5",
        "task": "detection",
        "input": InputMeta(width=64, height=64, resize="letterbox"),
        "output": "yolov5",
        "classes": ("cat", "dog"),
        "stride": 32,
    } | changes
    boxes = np.asarray(rows, np.float32)[None]
    if values["output"] == "yolov5u":
        boxes = np.ascontiguousarray(np.delete(boxes, 4, axis=2).transpose(0, 2, 1))
    nodes = [  # the photo's sum counts for nothing, but the network must look at it
        helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["boxes", "nothing"], ["output"]),
    ]
    size = [values["input"].height or "height", values["input"].width or "width"]
    shape = ("batch", values["input"].channels, *size)
    return model(nodes, shape, WeightsMeta(**values), {"zero": np.float32(0), "boxes": boxes})


def generator(task: str = "image_to_image", **changes: Any) -> bytes:
    """image_to_image: the photo's negative. super_resolution: each pixel as 2 × 2 of the mean of its 3 × 3
    surroundings. noise_to_image: 2 × 2 pixels of four numbers of noise, grey."""
    values: dict[str, Any] = {"family": "gan", "task": task, "output": "image"} | changes
    if task == "noise_to_image":
        values.setdefault("input", InputMeta(latent=4))
        values |= {"low": -4.0, "high": 4.0}
        nodes = [helper.make_node("Reshape", ["images", "shape"], ["output"])]
        return model(nodes, (1, 4, 1, 1), WeightsMeta(**values), {"shape": np.array([1, 1, 2, 2])})
    values.setdefault("input", InputMeta(resize="native"))
    shape = ("batch", 3, values["input"].height or "height", values["input"].width or "width")
    if task == "image_to_image":
        nodes = [helper.make_node("Sub", ["one", "images"], ["output"])]
        return model(nodes, shape, WeightsMeta(**values), {"one": np.float32(1)})
    values |= {"upscale": 2}
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        kernel[channel, channel] = 1 / 9
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["smooth"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["smooth", "", "scales"], ["output"], mode="nearest"),
    ]
    constants = {"kernel": kernel, "scales": np.array([1, 1, 2, 2], np.float32)}
    return model(nodes, shape, WeightsMeta(**values), constants)


def hungry() -> bytes:
    """The photo as it is, by way of one 1000 times as wide and high: 12 MB of memory for each pixel."""
    meta = WeightsMeta(family="gan", task="image_to_image", output="image", input=InputMeta(resize="native"))
    nodes = [
        helper.make_node("Resize", ["images", "", "up"], ["large"], mode="nearest"),
        helper.make_node("Resize", ["large", "", "down"], ["output"], mode="nearest"),
    ]
    scales = {
        "up": np.array([1, 1, 1000, 1000], np.float32),
        "down": np.array([1, 1, 1e-3, 1e-3], np.float32),
    }
    return model(nodes, ("batch", 3, "height", "width"), meta, scales)
