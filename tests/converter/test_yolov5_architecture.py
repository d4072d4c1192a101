"""From a checkpoint to a network ready for export, and refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime as ort
import pytest
import torch

from model_images.converter import export, registry
from model_images.converter.architecture import Checkpoint, Rejected
from model_images.converter.architectures.yolov5 import YoloV5, YoloV5u
from tests.converter.yolo_checkpoints import NAMES, YAML, checkpoint, network

BOTH = pytest.mark.parametrize(("anchors", "architecture"), [(True, YoloV5()), (False, YoloV5u())])


def image(height: int = 96, width: int = 96, count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2))


@BOTH
def test_registry_finds_it_by_names_and_shapes(anchors, architecture):
    assert type(registry.find(checkpoint(anchors=anchors), "yolov5")) is type(architecture)


@BOTH
def test_network_answers_as_the_one_that_was_saved(anchors, architecture):
    saved = network(anchors=anchors)

    built = architecture.build(checkpoint(saved, anchors=anchors), None)

    saved.head.strides = (8, 16, 32)
    with torch.no_grad():
        assert torch.equal(built.module(image()), saved(image()))
    assert not any(p.is_meta for p in [*built.module.parameters(), *built.module.buffers()])


@BOTH
def test_onnx_answers_as_torch_for_any_batch_and_shape(anchors, architecture, tmp_path):
    built = architecture.build(checkpoint(anchors=anchors), None)
    export.export(built, tmp_path / "weights.onnx")

    session = ort.InferenceSession(tmp_path / "weights.onnx", providers=["CPUExecutionProvider"])
    for count, height, width in ((1, 96, 96), (3, 96, 96), (1, 64, 96), (2, 160, 32), (1, 32, 32)):
        images = image(height, width, count)
        with torch.no_grad():
            expected = built.module(images).numpy()
        (answer,) = session.run(["output"], {"images": images.numpy()})
        cells = height * width // 64 + height * width // 256 + height * width // 1024
        assert answer.shape == expected.shape == ((count, 3 * cells, 8) if anchors else (count, 7, cells))
        np.testing.assert_allclose(answer, expected, atol=1e-3, rtol=0)  # pixels


@BOTH
def test_comparison_looks_at_a_photo_that_is_not_square(anchors, architecture, tmp_path, monkeypatch):
    built = architecture.build(checkpoint(anchors=anchors), None)
    export.export(built, tmp_path / "weights.onnx")
    assert export.compare(built, tmp_path / "weights.onnx")["max_difference"] < 1e-3

    square = dataclasses.replace(built, dynamic={"images": {0: "batch"}, "output": {0: "batch"}})
    export.export(square, tmp_path / "square.onnx")  # its grid is that of a square
    with pytest.raises(Exception, match="64"):
        export.compare(built, tmp_path / "square.onnx")


def test_what_the_checkpoint_tells_is_kept():
    meta = YoloV5().build(checkpoint(), None).meta

    assert (meta.classes, meta.stride, meta.output, meta.task) == (NAMES, 32, "yolov5", "detection")
    given = meta.input
    assert (given.width, given.height, given.resize, given.color) == (None, None, "letterbox", "rgb")
    assert (given.resize_to, given.multiple) == (96, 32)
    assert (given.mean, given.std, given.scale, given.pad_value) == ((0,) * 3, (1,) * 3, 1 / 255, 114)
    assert meta.source == "YOLOv5 checkpoint"


def test_ultralytics_version_and_licence_are_told():
    beside = {"train_args": {"imgsz": 64}, "version": "8.3.0", "license": "AGPL-3.0"}

    meta = YoloV5u().build(checkpoint(anchors=False, checkpoint=beside), None).meta

    assert (meta.source, meta.license, meta.input.resize_to) == (
        "ultralytics checkpoint (8.3.0)",
        "AGPL-3.0",
        64,
    )
    assert (meta.output, meta.stride) == ("yolov5u", 32)


@pytest.mark.parametrize(
    ("size", "side"),
    [(100, 128), ([64, 96], 96), (None, 640), ("x", 640), (10**9, 640), (True, 640), (-5, 640)],
)
def test_input_size_is_the_trained_one_in_whole_strides(size, side):
    opt = {} if size is None else {"imgsz": size}

    assert YoloV5().build(checkpoint(checkpoint={"opt": opt}), None).meta.input.resize_to == side


def test_names_may_be_given_by_number_or_by_the_seller():
    numbered = checkpoint(names={0: "a", 1: "b", 2: "c"})

    assert YoloV5().build(numbered, None).meta.classes == ("a", "b", "c")
    assert YoloV5().build(numbered, ["x", "y", "z"]).meta.classes == ("x", "y", "z")


def test_state_dict_alone_is_enough_for_a_standard_network():
    bare = Checkpoint(state=network().state_dict())

    built = YoloV5().build(bare, NAMES)

    assert (built.meta.input.resize_to, built.meta.classes) == (640, NAMES)
    assert built.meta.source == "YOLOv5 state dict"


def test_fused_checkpoint_gives_the_same_answer():
    saved = network()
    state = {}
    for name, tensor in saved.state_dict().items():
        if ".bn." not in name:
            state[name] = tensor
    for path, module in saved.named_modules():
        if isinstance(getattr(module, "bn", None), torch.nn.BatchNorm2d):
            bn = module.bn
            factor = bn.weight / (bn.running_var + bn.eps).sqrt()
            state[f"{path}.conv.weight"] = (module.conv.weight * factor[:, None, None, None]).detach()
            state[f"{path}.conv.bias"] = (bn.bias - bn.running_mean * factor).detach()

    built = YoloV5().build(dataclasses.replace(checkpoint(saved), state=state), None)

    saved.head.strides = (8, 16, 32)
    with torch.no_grad():
        torch.testing.assert_close(built.module(image()), saved(image()), atol=1e-3, rtol=1e-4)


def test_activation_is_the_pickled_one():
    """Versions of ultralytics differ in the first activation of the pyramid."""
    modules = {"model.9.cv1.act": {"class": "torch.nn.modules.linear.Identity"}}

    plain = YoloV5u().build(checkpoint(anchors=False), None).module
    changed = YoloV5u().build(checkpoint(anchors=False, modules=modules), None).module

    assert isinstance(changed.model[9].cv1.act, torch.nn.Identity)
    assert isinstance(plain.model[9].cv1.act, torch.nn.SiLU)


def refused(given: Checkpoint, labels: list[str] | None = None) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        (YoloV5() if YoloV5().matches(given) else YoloV5u()).build(given, labels)
    return refusal.value


def changed(**tensors: torch.Tensor | None) -> Checkpoint:
    whole = checkpoint()
    state = {**whole.state, **{k.replace("__", "."): v for k, v in tensors.items()}}
    return dataclasses.replace(whole, state={k: v for k, v in state.items() if v is not None})


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (changed(model__3__conv__weight=None), "keys_mismatch", "model.3.conv.weight"),
        (changed(model__3__extra=torch.zeros(1)), "keys_mismatch", "model.3.extra"),
        (changed(model__3__conv__weight=torch.zeros(1)), "shapes_mismatch", "model.3.conv.weight"),
        (changed(model__24__proto__cv1__conv__weight=torch.zeros(1)), "unsupported_network", "segments"),
        (changed(model__24__anchors=torch.ones(2, 3, 2)), "unsupported_network", "levels of anchors"),
        (
            checkpoint(yaml=YAML | {"head": [[[-1, 0], 1, "Concat", [1]], *YAML["head"][1:]]}),
            "unsupported_network",
            "don't fit together",
        ),
        (checkpoint(names=["a"]), "labels_mismatch", "3 classes"),
        (checkpoint(names=None), "labels_needed", "3 classes"),
        (checkpoint(yaml=YAML | {"ch": 4}), "shapes_mismatch", "model.0.conv.weight"),
        (
            checkpoint(modules={"model.0.act": {"class": "torch.nn.Mish"}}),
            "unsupported_network",
            "activation Mish",
        ),
        (
            Checkpoint(state=network(anchors=False).state_dict()),
            "unsupported_network",
            "upload the whole checkpoint",
        ),
    ],
)
def test_refusal_names_what_does_not_fit(given, code, told):
    error = refused(given, ["a", "b", "c"] if not given.config else None)

    assert error.code == code
    assert told in error.message


def test_network_that_claims_to_be_huge_costs_no_memory():
    """Some 20 GB, were it built as described."""
    rejection = refused(checkpoint(yaml=YAML | {"depth_multiple": 4.0, "width_multiple": 4.0}))

    assert rejection.code == "keys_mismatch"


def test_other_networks_are_not_taken_for_it():
    for state in ({}, {"model.0.weight": torch.zeros(1)}, {"layer1.0.conv1.weight": torch.zeros(1)}):
        assert not YoloV5().matches(Checkpoint(state=state))
        assert not YoloV5u().matches(Checkpoint(state=state))
