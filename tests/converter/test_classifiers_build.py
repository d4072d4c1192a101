"""Classifiers with torchvision's layer names, against what torchvision 0.29.1 itself answered.

The goldens: parameters with 1000 classes as published; names and shapes of the state dict with 10 classes;
the first four logits for `filling.picture(3, 96, 96)` with the weights of `filling.filled`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from model_images.converter import export  # noqa: E402 - after the check for torch
from model_images.converter.architecture import Checkpoint, Rejected  # noqa: E402
from model_images.converter.architectures.efficientnet_b0 import EfficientNetB0  # noqa: E402
from model_images.converter.architectures.inception_v3 import InceptionV3  # noqa: E402
from model_images.converter.architectures.mobilenet_v2 import MobileNetV2  # noqa: E402
from model_images.converter.architectures.torchvision_resnet import ResNet  # noqa: E402
from model_images.converter.registry import find  # noqa: E402
from tests.converter.filling import filled, fingerprint, picture  # noqa: E402

NETWORKS = {
    "resnet18": lambda classes: ResNet((2, 2, 2, 2), False, classes),
    "resnet34": lambda classes: ResNet((3, 4, 6, 3), False, classes),
    "resnet50": lambda classes: ResNet((3, 4, 6, 3), True, classes),
    "mobilenet_v2": MobileNetV2,
    "efficientnet_b0": EfficientNetB0,
    "inception_v3": InceptionV3,
}
INCEPTION_AUXILIARY = 3_326_696  # parameters of the head that is left out
GOLDENS = {
    "resnet18": (11689512, "475ae55b6d26f3f5", [-10.49736, 9.33654, -7.93098, 6.11804]),
    "resnet34": (21797672, "713c5c32cb70f25d", [-17.51418, 14.83244, -11.73066, 8.1003]),
    "resnet50": (25557032, "5666a3a916402396", [-179.96074, -90.70648, 43.07235, 155.8941]),
    "mobilenet_v2": (3504872, "dc7b0abda4838b2c", [-11.19236, 1.59017, 9.78958, -9.99795]),
    "efficientnet_b0": (5288548, "bb221e34e6dd3d87", [1.22877, -0.40114, -0.9097, 1.24484]),
    "inception_v3": (
        27161264 - INCEPTION_AUXILIARY,
        "a5993397b9684dee",
        [-0.03399, -1.30537, -1.88195, -1.37633],
    ),
}
LABELS = [f"class {number}" for number in range(10)]


def _network(kind, classes=10):
    with torch.device("meta"):
        return NETWORKS[kind](classes)


@cache
def _checkpoint(kind):
    return Checkpoint(filled(_network(kind).state_dict()))


def _build(checkpoint, labels=LABELS):
    return find(checkpoint, "classifier").build(checkpoint, labels)


@pytest.mark.parametrize("kind", GOLDENS)
def test_parameters_names_and_shapes_are_torchvisions(kind):
    parameters, names, _ = GOLDENS[kind]

    assert sum(p.numel() for p in _network(kind, 1000).parameters()) == parameters
    assert fingerprint(_network(kind).state_dict()) == names


@pytest.mark.parametrize("kind", ["resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "inception_v3"])
def test_logits_are_torchvisions(kind):
    built = _build(_checkpoint(kind))

    with torch.no_grad():
        logits = built.module(picture(3, 96, 96))[0, :4].numpy()

    expected = np.array(GOLDENS[kind][2])
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()
    assert built.meta.architecture == kind
    assert built.meta.classes == tuple(LABELS)


@pytest.mark.parametrize("kind", ["resnet18", "efficientnet_b0"])
def test_onnx_answers_as_torch(kind, tmp_path):
    built = _build(_checkpoint(kind))

    export.export(built, tmp_path / "weights.onnx")
    compared = export.compare(built, tmp_path / "weights.onnx")

    assert compared["max_difference"] < 1e-4 * compared["largest_value"]


def test_photos_are_prepared_as_torchvision_does():
    resnet, inception = (
        _build(_checkpoint("resnet18")).meta.input,
        _build(_checkpoint("inception_v3")).meta.input,
    )

    assert (resnet.resize, resnet.resize_to, resnet.width, resnet.height) == ("crop", 256, 224, 224)
    assert (resnet.mean, resnet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (inception.resize_to, inception.width, inception.mean) == (342, 299, (0.5, 0.5, 0.5))


def test_auxiliary_head_is_dropped():
    checkpoint = _checkpoint("inception_v3")
    state = {
        **checkpoint.state,
        "AuxLogits.fc.weight": torch.zeros(10, 768),
        "AuxLogits.fc.bias": torch.zeros(10),
    }

    assert _build(Checkpoint(state)).meta.architecture == "inception_v3"


def test_counters_of_old_files_may_be_missing(tmp_path):
    state = {k: v for k, v in _checkpoint("mobilenet_v2").state.items() if "num_batches_tracked" not in k}

    built = _build(Checkpoint(state))

    assert "meta" not in {tensor.device.type for tensor in built.module.state_dict().values()}


@pytest.mark.parametrize(
    ("labels", "code"), [(None, "labels_needed"), ([], "labels_needed"), (LABELS[:9], "labels_mismatch")]
)
def test_labels_must_fit(labels, code):
    with pytest.raises(Rejected) as refused:
        _build(_checkpoint("mobilenet_v2"), labels)

    assert refused.value.code == code
    assert "10 classes" in refused.value.message


def test_keys_that_do_not_fit_are_told():
    state = dict(_checkpoint("resnet18").state)
    del state["layer1.0.bn1.weight"]
    state["layer9.weight"] = torch.zeros(3)

    with pytest.raises(Rejected) as refused:
        _build(Checkpoint(state))

    assert refused.value.code == "keys_mismatch"
    assert "missing: layer1.0.bn1.weight; not known: layer9.weight" in refused.value.message


def test_shapes_that_do_not_fit_are_told():
    state = {
        **_checkpoint("efficientnet_b0").state,
        "features.1.0.block.0.0.weight": torch.zeros(32, 1, 5, 5),
    }

    with pytest.raises(Rejected) as refused:
        _build(Checkpoint(state))

    assert refused.value.code == "shapes_mismatch"
    assert "features.1.0.block.0.0.weight is 32×1×5×5, not 32×1×3×3" in refused.value.message


def test_other_depths_are_refused():
    with torch.device("meta"):
        network = ResNet((3, 4, 23, 3), True, 10)

    with pytest.raises(Rejected) as refused:
        _build(Checkpoint(network.state_dict()))

    assert refused.value.code == "keys_mismatch"
    assert "3, 4, 23, 3 blocks" in refused.value.message


def test_last_layer_must_tell_classes():
    state = {**_checkpoint("mobilenet_v2").state, "classifier.1.weight": torch.zeros(1280)}

    with pytest.raises(Rejected) as refused:
        _build(Checkpoint(state))

    assert refused.value.code == "keys_mismatch"
