"""ONNX files that try to reach outside, to blow up, or that are damaged. Each is refused with its reason."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_images.converter import contents, limits
from model_images.converter.architecture import Rejected
from tests.converter import models
from tests.converter.checks import refusal
from tests.converter.command import run
from tests.converter.models import constant, model, value

LABELS = ["a", "b", "c"]


def through(
    *nodes: onnx.NodeProto, constants=(), opset: int = 17, kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """`images` through the nodes, the last of which makes `output`."""
    return model(
        list(nodes), [value("images", [1, 3, 32, 32], kind)], [value("output", [1, 3])], constants, opset
    )


def branch(*nodes: onnx.NodeProto, constants=()) -> onnx.NodeProto:
    """An `If` whose branches hold the nodes."""
    graph = helper.make_graph(list(nodes), "branch", [], [value("inner", [1])], list(constants))
    return helper.make_node("If", ["condition"], ["output"], then_branch=graph, else_branch=graph)


IDENTITY = helper.make_node("Identity", ["images"], ["output"])
CONDITION = constant("condition", np.array(True))


# --- Reaching outside -----------------------------------------------------------------------------


def external(name: str = "w") -> onnx.TensorProto:
    tensor = constant(name, np.zeros(3, np.float32))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", "/etc/passwd"), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor


def test_weights_in_another_file_are_refused(tmp_path):
    made = through(IDENTITY, constants=[external()])

    assert refusal(tmp_path, made).code == "external_data"


def test_weights_in_another_file_are_found_in_attributes_and_branches(tmp_path):
    node = helper.make_node("Constant", [], ["inner"], value=external())

    for made in (through(node, IDENTITY), through(branch(node), constants=[CONDITION])):
        assert refusal(tmp_path, made).code == "external_data"


def test_location_without_the_flag_is_refused_too(tmp_path):
    tensor = constant("w", np.zeros(3, np.float32))
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"

    assert refusal(tmp_path, through(IDENTITY, constants=[tensor])).code == "external_data"


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "my.plugin", "ai.onnx.training"])
def test_operator_of_another_domain_is_refused_by_its_name(tmp_path, domain):
    node = helper.make_node("Steal", ["images"], ["output"], domain=domain)
    inner = helper.make_node("Steal", ["images"], ["inner"], domain=domain)

    for made in (through(node), through(branch(inner), constants=[CONDITION])):
        refused = refusal(tmp_path, made)
        assert refused.code == "custom_operator"
        assert "Steal" in refused.message
        assert domain in refused.message


def test_functions_are_refused_recursive_or_not(tmp_path):
    made = through(helper.make_node("Again", ["images"], ["output"], domain="own"))
    body = helper.make_node("Again", ["x"], ["y"], domain="own")
    made.functions.append(
        helper.make_function("own", "Again", ["x"], ["y"], [body], [helper.make_opsetid("", 17)])
    )

    assert refusal(tmp_path, made).code == "functions"


# --- Blowing up -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Loop", "Scan"])
def test_loops_are_refused(tmp_path, kind):
    body = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "body", [], [value("b", [1])])
    made = through(helper.make_node(kind, ["images"], ["output"], body=body))

    assert refusal(tmp_path, made).code == "unbounded_loop"


def test_deep_branches_are_refused(tmp_path):
    node = helper.make_node("Constant", [], ["inner"], value=constant("c", np.zeros(1, np.float32)))
    for _ in range(limits.MAX_DEPTH + 1):
        node = branch(node)
        node.output[0] = "inner"

    assert refusal(tmp_path, through(node, IDENTITY)).code == "too_many_operators"


def test_too_many_operators_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_NODES", 5)
    nodes = [helper.make_node("Relu", ["images"], [f"y{i}"]) for i in range(6)]

    assert refusal(tmp_path, through(*nodes, IDENTITY)).code == "too_many_operators"


def test_random_operators_are_refused(tmp_path):
    made = through(helper.make_node("RandomNormal", [], ["output"], shape=[1, 3]))

    assert refusal(tmp_path, made).code == "random_operator"


@pytest.mark.parametrize(
    ("dims", "code"),
    [([2**40], "absurd_shape"), ([2**31, 2**31], "absurd_shape"), ([-1], "absurd_shape"),
     ([1] * 9, "absurd_shape"),
     ([1000], "bad_tensor")],
)  # fmt: skip
def test_tensor_that_declares_more_than_it_holds_is_refused(tmp_path, dims, code):
    tensor = constant("w", np.zeros(3, np.float32))
    tensor.dims[:] = dims

    assert refusal(tmp_path, through(IDENTITY, constants=[tensor])).code == code


def test_sparse_and_text_tensors_are_refused(tmp_path):
    text = helper.make_tensor("w", TensorProto.STRING, [1], [b"x"])
    assert refusal(tmp_path, through(IDENTITY, constants=[text])).code == "bad_tensor"

    made = through(IDENTITY)
    made.graph.sparse_initializer.add()
    assert refusal(tmp_path, made).code == "bad_tensor"


def bomb(kind: str) -> onnx.ModelProto:
    """A file of some hundred bytes whose first operator makes 400 GB."""
    huge = [100_000, 1_000_000]
    sizes = constant("huge", np.array(huge, np.int64))
    one = constant("one", np.ones((1, 1), np.float32))
    nodes = {
        "ConstantOfShape": helper.make_node("ConstantOfShape", ["huge"], ["big"]),
        "Expand": helper.make_node("Expand", ["one", "huge"], ["big"]),
        "Tile": helper.make_node("Tile", ["one", "huge"], ["big"]),
    }
    return through(nodes[kind], helper.make_node("ReduceSum", ["big"], ["output"]), constants=[sizes, one])


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Tile"])
def test_bomb_with_a_constant_size_is_refused_by_its_shape(tmp_path, kind):
    made = bomb(kind)
    assert len(made.SerializeToString()) < 1000

    assert refusal(tmp_path, made, labels=LABELS).code == "absurd_shape"


def hidden_bomb() -> onnx.ModelProto:
    """The size comes out of the photo, so that no inference can tell: mean * 0 + 200,000, as a square."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "size"], ["sizes"]),
        helper.make_node("Cast", ["sizes"], ["shape"], to=TensorProto.INT64),
        helper.make_node("Expand", ["one", "shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=1),
        helper.make_node("Expand", ["sum", "three"], ["output"]),
    ]
    constants = [
        constant("zero", np.float32(0)),
        constant("size", np.array([200_000, 200_000], np.float32)),
        constant("one", np.ones((1, 1), np.float32)), constant("three", np.array([1, 3], np.int64)),
    ]  # fmt: skip
    return through(*nodes, constants=constants)


def test_bomb_that_hides_its_size_is_stopped_by_the_sandbox(tmp_path):
    upload = models.save(hidden_bomb(), tmp_path / "upload.onnx")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(LABELS))
    out = tmp_path / "out"
    arguments = ["--upload", upload, "--family", "classifier", "--labels", labels]
    assert run("convert", out, *arguments)["status"] == "ok"

    answer = run("check", out)

    assert (answer["status"], answer["code"]) == ("rejected", "too_much_memory")
    assert not (out / "weights.onnx").exists()


# --- Inputs and outputs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.STRING]
)
def test_input_of_another_type_is_refused(tmp_path, kind):
    assert refusal(tmp_path, through(IDENTITY, kind=kind)).code == "wrong_input"


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ([1, 3, 100_000, 100_000], "absurd_shape"), ([1, 3, -5, 32], "absurd_shape"),
        ([8, 3, 32, 32], "wrong_input"),
        ([1, 3, 32], "wrong_input"), ([1, 7, 32, 32], "wrong_input"), ([], "wrong_input"),
        ([1, 3, "h", 32], "wrong_input"),
    ],
)  # fmt: skip
def test_input_of_a_strange_shape_is_refused(tmp_path, shape, code):
    made = model([IDENTITY], [value("images", shape)], [value("output", ["n"])])

    assert refusal(tmp_path, made).code == code


def test_second_input_is_refused(tmp_path):
    made = through(IDENTITY)
    made.graph.input.append(value("orig_size", [2]))

    assert refusal(tmp_path, made).code == "wrong_input"


def test_answer_that_is_no_number_is_refused(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Div", ["flat", "zero"], ["output"]),
    ]
    made = through(*nodes, constants=[constant("zero", np.float32(0))])

    assert refusal(tmp_path, made, labels=LABELS).code == "not_finite"


def test_classifier_that_mixes_the_photos_of_a_batch_is_refused(tmp_path):
    made = models.classifier()
    mean = helper.make_node("ReduceMean", ["images"], ["blurred"], axes=[0], keepdims=1)
    add = helper.make_node("Add", ["images", "blurred"], ["mixed"])
    made.graph.node[0].input[0] = "mixed"
    nodes = [mean, add, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)

    assert refusal(tmp_path, made, labels=LABELS).code == "wrong_output"


@pytest.mark.parametrize(("opset", "code"), [(6, "old_opset"), (99, "new_opset"), (0, "old_opset")])
def test_opset_out_of_range_is_refused(tmp_path, opset, code):
    assert refusal(tmp_path, through(IDENTITY, opset=opset)).code == code


# --- Damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_truncated_model_is_told_to_be(tmp_path, part):
    data = models.classifier().SerializeToString()
    path = tmp_path / "a.onnx"
    path.write_bytes(data[: int(len(data) * part)])

    with pytest.raises(Rejected) as caught:
        contents.kind_of(path)

    assert caught.value.code == "truncated"


@pytest.mark.parametrize("seed", range(20))
def test_damaged_model_is_refused_or_harmless(tmp_path, seed):
    """Some bytes of it changed at random: never a crash."""
    random = np.random.default_rng(seed)
    data = bytearray(models.classifier(names=str(LABELS)).SerializeToString())
    for position in random.integers(0, len(data), 4):
        data[position] = int(random.integers(0, 256))
    path = tmp_path / "a.onnx"
    path.write_bytes(bytes(data))

    try:
        kind = contents.kind_of(path)
        assert kind == "onnx"
        made = onnx.load_model_from_string(bytes(data))
    except (Rejected, Exception):
        return
    from tests.converter.checks import check

    try:
        check(tmp_path / "out", made, "classifier")
    except Rejected as refused:
        assert refused.code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"), (b"\x00" * 64, "unsupported_type"),
        (b"\x07\xf3" * 4 + b"{", "unsupported_type"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 50, "unsupported_type"),
        (b"<!DOCTYPE html><html>", "unsupported_type"),
        (b"version https://git-lfs.github.com/spec/v1", "unsupported_type"),
        (b"\x89HDF\r\n", "unsupported_type"),
        (b"PK\x03\x04" + b"\x00" * 100, "truncated"), (b"\x08\x08", "unsupported_type"),
    ],
)  # fmt: skip
def test_other_files_are_refused_for_what_they_are(tmp_path, content, code):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    with pytest.raises(Rejected) as caught:
        contents.kind_of(path)

    assert caught.value.code == code
