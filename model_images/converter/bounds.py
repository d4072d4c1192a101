"""What an ONNX model may contain, found by looking only: nothing is computed here.

Serving runs these files for other people, so what a model does must be bounded by its shapes and come from
ONNX's own operators: no custom domains, no functions of its own, no loops, no files beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from model_images.converter import limits
from model_images.converter.architecture import Rejected

DOMAINS = ("", "ai.onnx")
# Work that a shape doesn't bound, and values that are not the photo's.
_LOOPS = ("Loop", "Scan", "SequenceMap")
_RANDOM = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
)
_BITS = {TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.FLOAT4E2M1: 4}


def check(model: ModelProto) -> int:
    """How many operators it has. Raises Rejected: old_opset, new_opset, custom_operator, functions,
    external_data, unbounded_loop, random_operator, too_many_operators, bad_tensor, absurd_shape, no_graph."""
    _check_opsets(model)
    if len(model.functions) > 0:
        raise Rejected(
            "functions",
            f"The model brings functions of its own ({model.functions[0].name[:60]!r}). Export it again with "
            "them "
            "inlined (onnx.inliner.inline_local_functions).",
        )
    if len(model.training_info) > 0:
        raise Rejected("functions", "The model brings a training program with it. Export it for inference.")
    if not model.graph.node:
        raise Rejected("no_graph", "The model has no operators.")
    count = 0
    for node in nodes(model.graph):
        count += 1
        if count > limits.MAX_NODES:
            raise Rejected("too_many_operators", f"The model has more than {limits.MAX_NODES:,} operators.")
        _check_node(node)
    for graph in _graphs(model.graph):
        for tensor in graph.initializer:
            _check_tensor(tensor)
        if len(graph.sparse_initializer) > 0:
            raise Rejected("bad_tensor", "The model holds sparse tensors. Export it with dense ones.")
    return count


def opset(model: ModelProto) -> int:
    return max((o.version for o in model.opset_import if o.domain in DOMAINS), default=0)


def _check_opsets(model: ModelProto) -> None:
    version = opset(model)
    if version < limits.MIN_OPSET:
        raise Rejected(
            "old_opset",
            f"The model uses opset {version}; {limits.MIN_OPSET} is the oldest taken. Export it again.",
        )
    if version > limits.MAX_OPSET:
        raise Rejected(
            "new_opset",
            f"The model uses opset {version}; {limits.MAX_OPSET} is the newest taken. Export it with 17.",
        )


def _graphs(graph: GraphProto, depth: int = 0) -> Iterator[GraphProto]:
    """The graph and all within it: branches are attributes of operators."""
    if depth > limits.MAX_DEPTH:
        raise Rejected("too_many_operators", f"Branches are nested more than {limits.MAX_DEPTH} deep.")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in ((attribute.g,) if attribute.HasField("g") else ()) + tuple(attribute.graphs):
                yield from _graphs(inner, depth + 1)


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for each in _graphs(graph):
        yield from each.node


def _check_node(node: NodeProto) -> None:
    if node.domain not in DOMAINS:
        raise Rejected(
            "custom_operator",
            f"The operator {node.op_type[:60]} is of the domain {node.domain[:60]!r}, not of ONNX itself. "
            "Export the model with standard operators only.",
        )
    if node.op_type in _LOOPS:
        raise Rejected(
            "unbounded_loop",
            f"The operator {node.op_type} runs as often as its input says, which is not allowed.",
        )
    if node.op_type in _RANDOM:
        raise Rejected(
            "random_operator",
            f"The operator {node.op_type} makes random values: results would differ each time. Take noise as "
            "an input.",
        )
    for attribute in node.attribute:
        _check_attribute(attribute)


def _check_attribute(attribute: AttributeProto) -> None:
    tensors = ([attribute.t] if attribute.HasField("t") else []) + list(attribute.tensors)
    for tensor in tensors:
        _check_tensor(tensor)
    if attribute.HasField("sparse_tensor") or len(attribute.sparse_tensors) > 0:
        raise Rejected("bad_tensor", "The model holds sparse tensors. Export it with dense ones.")


def _check_tensor(tensor: TensorProto) -> None:
    name = tensor.name[:80] or "a constant"
    if tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0:
        raise Rejected(
            "external_data",
            f"The weights of {name!r} lie in a file beside the model. Save it as one file "
            "(onnx.save(model, path, save_as_external_data=False)).",
        )
    if len(tensor.dims) > limits.MAX_RANK or any(d < 0 for d in tensor.dims):
        raise Rejected("absurd_shape", f"The tensor {name!r} has the shape {list(tensor.dims)[:9]}.")
    if tensor.data_type == TensorProto.STRING:
        raise Rejected("bad_tensor", f"The tensor {name!r} holds text.")
    elements = math.prod(tensor.dims)
    if elements * 4 > limits.MAX_TENSOR:
        raise Rejected("absurd_shape", f"The tensor {name!r} declares {elements:,} values.")
    if elements > _held(tensor):
        raise Rejected(
            "bad_tensor", f"The tensor {name!r} declares {elements:,} values, but the file doesn't hold them."
        )


def _held(tensor: TensorProto) -> int:
    """How many values the file has for it, at most."""
    if tensor.HasField("raw_data"):
        try:
            bits = (
                _BITS.get(tensor.data_type)
                or onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
            )
        except KeyError as error:
            raise Rejected("bad_tensor", f"The tensor {tensor.name[:80]!r} is of an unknown type.") from error
        return len(tensor.raw_data) * 8 // bits
    packed = 2 if tensor.data_type in _BITS else 1
    fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return packed * max(len(field) for field in fields)
