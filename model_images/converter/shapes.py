"""The input and output of an ONNX model, and the shapes in between with the example input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto

from model_images.converter import limits
from model_images.converter.architecture import Rejected

Shape = tuple[int | None, ...]  # None: free


@dataclass(frozen=True)
class Signature:
    input_name: str
    input: Shape
    outputs: tuple[str, ...]


def signature(model: ModelProto) -> Signature:
    """Raises Rejected: wrong_input, absurd_shape."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise Rejected(
            "wrong_input",
            f"The model has {len(inputs)} inputs; one is needed: a batch of photos, or of noise.",
        )
    if not model.graph.output:
        raise Rejected("wrong_output", "The model has no output.")
    kind = inputs[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        raise Rejected(
            "wrong_input",
            f"The input is of type {_type_name(kind)}; float32 is needed. Export the model without half "
            "precision "
            "and without its own preprocessing.",
        )
    shape = _shape(inputs[0])
    _check_input(shape)
    return Signature(inputs[0].name, shape, tuple(value.name for value in model.graph.output))


def _check_input(shape: Shape) -> None:
    if len(shape) not in {2, 4}:
        raise Rejected(
            "wrong_input",
            f"The input has {len(shape)} dimensions; a batch of photos has 4 (batch, channels, height, "
            "width), "
            "noise has 2 or 4.",
        )
    if shape[0] not in {None, 1}:
        raise Rejected("wrong_input", f"The batch is fixed to {shape[0]}: export it free, or fixed to 1.")
    if any(side is not None and not 1 <= side <= limits.MAX_SIDE for side in shape[1:]):
        raise Rejected(
            "absurd_shape",
            f"The input has the shape {list(shape)}; sides from 1 to {limits.MAX_SIDE} are taken.",
        )


def _shape(value: ValueInfoProto) -> Shape:
    dims = value.type.tensor_type.shape.dim
    if any(d.HasField("dim_value") and d.dim_value < 0 for d in dims):
        raise Rejected("absurd_shape", f"The input {value.name[:60]!r} has a negative size.")
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims)


def _type_name(kind: int) -> str:
    try:
        return str(TensorProto.DataType.Name(kind)).lower()
    except ValueError:
        return "unknown"


def check_inferred(model: ModelProto, example: tuple[int, ...]) -> None:
    """With the example's shape as input, no tensor in between may be larger than MAX_TENSOR, as far as
    shapes can be inferred. Raises Rejected: absurd_shape, corrupt."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    constants = {tensor.name for tensor in probe.graph.initializer}
    for value in probe.graph.input:
        if value.name not in constants:
            for dim, size in zip(value.type.tensor_type.shape.dim, example, strict=True):
                dim.dim_value = size
    del probe.graph.value_info[:]  # what the seller's exporter said of them is no proof
    for value in probe.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except MemoryError as error:
        raise Rejected("too_much_memory", "The model takes too much memory to look at.") from error
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise Rejected("corrupt", f"The shapes within the model don't fit together: {first}") from error
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        _check_value(value)


def _check_value(value: ValueInfoProto) -> None:
    dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if any(d < 0 for d in dims) or math.prod(max(d, 1) for d in dims) * 4 > limits.MAX_TENSOR:
        raise Rejected(
            "absurd_shape",
            f"The tensor {value.name[:80]!r} in the model would have the shape {dims[:9]}: more than "
            f"{limits.MAX_TENSOR >> 20:,} MB.",
        )
