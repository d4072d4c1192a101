"""How an ONNX model is to be fed and read, where the file doesn't say it in our own terms: from its shapes,
from the metadata that YOLOv5's exporters write (`names`, `stride`, `imgsz`, `task`), and from what it
answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from model_images.converter.architecture import Rejected, labels_mismatch
from model_images.converter.shapes import Signature
from model_images.runtime.contract import Tensor
from model_images.runtime.metadata import Family, InputMeta, Output, Task, WeightsMeta

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STRIDES = (4, 8, 16, 32, 64, 128)
_UPSCALES = (1, 2, 3, 4, 8)


@dataclass(frozen=True)
class Told:
    """What is known of an ONNX file besides its shapes."""

    properties: Mapping[str, str]
    labels: Sequence[str] | None  # the seller's
    operators: frozenset[str]  # in the graph
    last_operator: str  # the one that makes the first output


def input_meta(family: Family, signature: Signature, told: Told) -> InputMeta:
    """How to make the input. Raises Rejected: wrong_input."""
    shape = signature.input
    if family == "gan" and (len(shape) == 2 or shape[2:] == (1, 1)):
        if shape[1] is None:
            raise Rejected(
                "wrong_input", "The length of the noise is not fixed in the model: export it fixed."
            )
        return InputMeta(latent=shape[1])
    if len(shape) != 4 or shape[1] not in {1, 3}:
        raise Rejected(
            "wrong_input",
            f"The input has the shape {_text(shape)}; the family {family} needs (batch, 1 or 3 channels, "
            "height, "
            "width).",
        )
    channels = shape[1]
    color = "rgb" if channels == 3 else "gray"
    height, width = shape[2], shape[3]
    if (height is None) != (width is None):
        raise Rejected("wrong_input", "Height and width of the input must both be free, or both fixed.")
    base: dict[str, Any] = {"channels": channels, "color": color, "width": width, "height": height}
    if family == "yolov5":
        return InputMeta(
            **base,
            resize="letterbox",
            multiple=_stride(told),
            resize_to=_image_size(told) if width is None else None,
        )
    neutral: dict[str, Any] = {"mean": (0.0,) * channels, "std": (1.0,) * channels}
    if family == "gan":
        return InputMeta(**base, **neutral, resize="stretch" if width else "native", multiple=4)
    usual: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD} if channels == 3 else neutral
    side: dict[str, Any] = {"width": width or 224, "height": height or 224}
    crop: dict[str, Any] = {"resize": "crop", "resize_to": round(min(side.values()) * 256 / 224)}
    return InputMeta(**(base | side), **usual, **(crop if channels == 3 else {"resize": "stretch"}))


def preparation(meta: WeightsMeta) -> str:
    """How a photo is taken to become the input where the file doesn't say: empty where every export of the
    family does it alike. A network trained with other numbers runs, and answers worse."""
    if meta.task == "detection" or meta.input.latent:
        return ""
    given = meta.input
    ways = {
        "crop": "its shorter side scaled, the central part cut out",
        "stretch": "scaled to the input's size",
    }
    numbers = "values 0 to 1"
    if any(given.mean) or set(given.std) != {1.0}:
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (given.mean, given.std))
        numbers += f", minus the mean {mean}, divided by {std}"
    return (
        f"The file doesn't say how photos are prepared. Taken is what is usual: {given.color}, "
        f"{ways.get(given.resize, 'the photo as it is')}, {numbers}. "
        "If it was trained otherwise, write the property pixelyard.weights into it and upload it again."
    )


def signed(meta: InputMeta) -> InputMeta:
    """The same input, but from -1 to 1: what networks that answer so were trained with."""
    half = (0.5,) * meta.channels
    return meta.model_copy(update={"mean": half, "std": half})


def weights_meta(
    family: Family, given: InputMeta, example: Tensor, output: Tensor, told: Told
) -> WeightsMeta:
    """What the output is, from the answer to an example. Raises Rejected: wrong_output, wrong_task,
    nms_included, labels_needed, labels_mismatch."""
    source = "ONNX" + (
        f" ({told.properties['description'][:100]})" if told.properties.get("description") else ""
    )
    license = told.properties.get("license", "")[:200]
    common = {"family": family, "input": given, "source": source, "license": license}
    if family == "yolov5":
        return _detector(common, example, output, told)
    if family == "gan":
        return _generator(common, given, example, output, told)
    return _classifier(common, output, told)


def _detector(common: dict[str, Any], example: Tensor, output: Tensor, told: Told) -> WeightsMeta:
    if (task := told.properties.get("task")) not in {None, "", "detect"}:
        raise Rejected("wrong_task", f"The model is for the task {task[:40]!r}; detection is taken.")
    if "NonMaxSuppression" in told.operators or (
        output.ndim == 3 and output.shape[2] == 6 and output.shape[1] <= 1000
    ):
        raise Rejected(
            "nms_included",
            "The model picks the boxes itself (NMS). Export it without: the options do it here.",
        )
    if output.ndim != 3:
        raise _wrong(output, "(batch, boxes, 5 + classes) or (batch, 4 + classes, boxes)")
    rows, columns = output.shape[1:]
    kind: Output = "yolov5" if rows > columns else "yolov5u"
    boxes, count = (rows, columns - 5) if rows > columns else (columns, rows - 4)
    stride = _grid_stride(example, boxes, free=kind == "yolov5")
    if count < 1 or stride is None:
        raise _wrong(
            output, "boxes of a YOLOv5 grid: (batch, boxes, 5 + classes) or (batch, 4 + classes, boxes)"
        )
    classes = _classes(told, count)
    return WeightsMeta(**common, task="detection", output=kind, classes=classes, stride=_stride(told, stride))


def _grid_stride(example: Tensor, boxes: int, *, free: bool) -> int | None:
    """The largest stride of grids that give so many boxes, each cell 1 to 6 anchors (anchor-free: one)."""
    height, width = example.shape[2:]
    cells = {s: -(-width // s) * -(-height // s) for s in _STRIDES}
    for start, end in combinations(range(len(_STRIDES) + 1), 2):
        total = sum(cells[s] for s in _STRIDES[start:end])
        if boxes % total == 0 and 1 <= boxes // total <= (6 if free else 1) and end - start > 1:
            return _STRIDES[end - 1]
    return None


def _generator(
    common: dict[str, Any], given: InputMeta, example: Tensor, output: Tensor, told: Told
) -> WeightsMeta:
    if output.ndim != 4 or output.shape[1] not in {1, 3}:
        raise _wrong(output, "(batch, 1 or 3 channels, height, width)")
    low = -1.0 if told.last_operator == "Tanh" or float(output.min()) < -0.5 else 0.0
    if given.latent:
        return WeightsMeta(**common, task="noise_to_image", output="image", low=low)
    height, width = example.shape[2:]
    factors = [k for k in _UPSCALES if output.shape[2:] == (height * k, width * k)]
    if not factors:
        raise _wrong(output, f"the input's {height} × {width}, or 2, 3, 4 or 8 times that")
    common = common | {"input": signed(given) if low < 0 else given}
    task: Task = "image_to_image" if factors[0] == 1 else "super_resolution"
    return WeightsMeta(**common, task=task, output="image", low=low, upscale=factors[0])


def _classifier(common: dict[str, Any], output: Tensor, told: Told) -> WeightsMeta:
    if output.ndim == 4 and output.shape[2:] == (1, 1):
        raise _wrong(output, "(batch, classes): flatten it")
    if output.ndim != 2 or output.shape[1] < 2:
        raise _wrong(output, "(batch, classes), two classes or more")
    sums = bool(abs(float(output.sum()) - 1) < 1e-3 and output.min() >= 0)
    kind: Output = "probabilities" if told.last_operator == "Softmax" or sums else "logits"
    return WeightsMeta(**common, task="classification", output=kind, classes=_classes(told, output.shape[1]))


def _classes(told: Told, count: int) -> tuple[str, ...]:
    if told.labels is not None:
        if len(told.labels) != count:
            raise labels_mismatch(count, len(told.labels))
        return tuple(told.labels)
    names = _names(told.properties.get("names", ""))
    if len(names) == count:
        return names
    raise Rejected(
        "labels_needed",
        f"The model knows {count} classes, and the file doesn't name them. Give {count} labels, in order.",
    )


def _names(text: str) -> tuple[str, ...]:
    """`names` as exporters write it: a Python list, or dict from number to name."""
    try:
        value = ast.literal_eval(text) if len(text) < 1_000_000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return ()
    if isinstance(value, dict):
        value = [value.get(i) for i in range(len(value))]
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        return ()
    return tuple(" ".join(v.split())[:100] for v in value)


def _stride(told: Told, default: int = 32) -> int:
    numbers = [int(n) for n in re.findall(r"\d{1,4}", told.properties.get("stride", ""))]
    largest = max(numbers, default=default)
    return largest if 1 <= largest <= 256 else default


def _image_size(told: Told) -> int:
    numbers = [int(n) for n in re.findall(r"\d{1,5}", told.properties.get("imgsz", ""))]
    largest = max(numbers, default=640)
    return largest if 32 <= largest <= 4096 else 640


def _wrong(output: Tensor, wanted: str) -> Rejected:
    return Rejected(
        "wrong_output", f"The first output has the shape {_text(output.shape)}; needed is {wanted}."
    )


def _text(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("free" if side is None else str(side) for side in shape) + ")"
