"""Tiny ONNX models of every family, and the means to spoil them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def value(name: str, shape: list[Any], kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, array: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: list[onnx.TensorProto] | tuple[()] = (),
    opset: int = 17,
    **properties: str,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for key, text in properties.items():
        made.metadata_props.add(key=key, value=text)
    return made


def save(made: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def classifier(classes: int = 3, size: int | str = 32, softmax: bool = False, **properties: str) -> Any:
    weights = np.random.default_rng(1).standard_normal((3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"]))
    output = "probabilities" if softmax else "logits"
    return model(
        nodes,
        [value("images", ["batch", 3, size, size])],
        [value(output, ["batch", classes])],
        [constant("weights", weights)],
        **properties,
    )


def generator(factor: int = 1, tanh: bool = False, side: int | str = "h") -> Any:
    """A 1 × 1 convolution, enlarged."""
    weights = (np.eye(3) * 0.5).reshape(3, 3, 1, 1).astype(np.float32)
    nodes = [helper.make_node("Conv", ["images", "weights"], ["y0"])]
    constants, last = [constant("weights", weights)], "y0"
    if factor > 1:
        constants.append(constant("scales", np.array([1, 1, factor, factor], np.float32)))
        nodes.append(helper.make_node("Resize", [last, "", "scales"], ["y1"], mode="nearest"))
        last = "y1"
    if tanh:
        nodes.append(helper.make_node("Tanh", [last], ["y2"]))
        last = "y2"
    across = side if isinstance(side, int) else "w"
    inputs = [value("images", ["batch", 3, side, across])]
    return model(nodes, inputs, [value(last, ["batch", 3, None, None])], constants)


def dcgan(latent: int = 16, rank: int = 4) -> Any:
    weights = np.random.default_rng(1).standard_normal((latent, 3, 8, 8)).astype(np.float32)
    nodes, given = [], "noise"
    if rank == 2:
        nodes.append(helper.make_node("Reshape", ["noise", "shape"], ["cube"]))
        given = "cube"
    nodes += [
        helper.make_node("ConvTranspose", [given, "weights"], ["y0"]),
        helper.make_node("Tanh", ["y0"], ["output"]),
    ]
    shape: list[Any] = ["batch", latent, 1, 1][:rank]
    constants = [constant("weights", weights)]
    if rank == 2:
        constants.append(constant("shape", np.array([-1, latent, 1, 1], np.int64)))
    return model(nodes, [value("noise", shape)], [value("output", ["batch", 3, 8, 8])], constants)


def detector(classes: int = 2, side: int = 64, anchors: int = 3, **properties: str) -> Any:
    """Grids of strides 8, 16 and 32, each cell from one strided pooling: (batch, boxes, 5 + classes) with
    anchors, (batch, 4 + classes, boxes) with `anchors` 0. Boxes in pixels, scores through a sigmoid."""
    values = 4 + classes if anchors == 0 else 5 + classes
    per_cell = max(anchors, 1)
    rng = np.random.default_rng(1)
    nodes, parts, constants = [], [], []
    for stride in (8, 16, 32):
        weights = rng.standard_normal((values * per_cell, 3, 1, 1)).astype(np.float32)
        constants.append(constant(f"w{stride}", weights))
        nodes += [
            helper.make_node(
                "AveragePool", ["images"], [f"p{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            ),
            helper.make_node("Conv", [f"p{stride}", f"w{stride}"], [f"c{stride}"]),
            helper.make_node("Reshape", [f"c{stride}", "rows"], [f"r{stride}"]),
            helper.make_node("Transpose", [f"r{stride}"], [f"t{stride}"], perm=[0, 1, 3, 2]),
            helper.make_node("Reshape", [f"t{stride}", "boxes"], [f"b{stride}"]),
        ]
        parts.append(f"b{stride}")
    constants += [
        constant("rows", np.array([0, per_cell, values, -1], np.int64)),
        constant("boxes", np.array([0, -1, values], np.int64)),
        constant("scale", np.array([side] * 4 + [1] * (values - 4), np.float32)),
    ]
    nodes += [
        helper.make_node("Concat", parts, ["all"], axis=1),
        helper.make_node("Sigmoid", ["all"], ["unit"]),
        helper.make_node("Mul", ["unit", "scale"], ["output0"]),
    ]
    last = "output0"
    if anchors == 0:
        nodes.append(helper.make_node("Transpose", ["output0"], ["output1"], perm=[0, 2, 1]))
        last = "output1"
    inputs = [value("images", ["batch", 3, side, side])]
    return model(nodes, inputs, [value(last, ["batch", None, None])], constants, **properties)
