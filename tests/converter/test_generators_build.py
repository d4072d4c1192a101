"""Generators: recognised by names and shapes alone, rebuilt, exported, and the same in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch")

from model_images.converter import export, limits, onnxfile  # noqa: E402 - after the check for torch
from model_images.converter.architecture import Checkpoint, Rejected  # noqa: E402
from model_images.converter.architectures.dcgan import DcganGenerator  # noqa: E402
from model_images.converter.architectures.resnet_generator import ResnetGenerator  # noqa: E402
from model_images.converter.architectures.rrdbnet import RRDBNet  # noqa: E402
from model_images.converter.architectures.unet_generator import UnetGenerator  # noqa: E402
from model_images.converter.registry import find  # noqa: E402
from tests.converter.filling import filled, picture  # noqa: E402

U8 = (4, 6, 8, 8, 8, 8, 8, 8)
NETWORKS = {
    "resnet_generator_6": lambda: ResnetGenerator(3, 3, 4, 6),
    "resnet_generator_9": lambda: ResnetGenerator(1, 3, 4, 9, batch_norm=True, gap=True),
    "unet_generator_256": lambda: UnetGenerator(3, 1, U8, batch_norm=True),
    "unet_generator_128": lambda: UnetGenerator(3, 3, U8[:7], batch_norm=False),
    "rrdbnet_2_x4": lambda: RRDBNet(width=4, growth=2, blocks=2),
    "rrdbnet_1_x2": lambda: RRDBNet(width=8, growth=4, blocks=1, unshuffle=2),
    "rrdbnet_1_x1": lambda: RRDBNet(width=8, growth=4, blocks=1, unshuffle=4),
    "dcgan_64": lambda: DcganGenerator(100, (32, 16, 8, 4, 3)),
    "dcgan_32": lambda: DcganGenerator(7, (8, 4, 4, 1), bias=True),
}


def _state(kind):
    return filled(NETWORKS[kind]().state_dict())


def _build(state):
    checkpoint = Checkpoint(state)
    return find(checkpoint, "gan").build(checkpoint, None)


@pytest.mark.parametrize("kind", NETWORKS)
def test_is_recognised_and_the_same_in_onnx(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TRIAL_SIDE", 48)  # of those that take any size: small is quick
    built = _build(_state(kind))

    export.export(built, tmp_path / "weights.onnx")
    compared = export.compare(built, tmp_path / "weights.onnx")

    assert built.meta.architecture == kind
    assert compared["max_difference"] < 1e-4 * compared["largest_value"]
    assert compared["image"] == ("" if kind.startswith("dcgan") else "astronaut.jpg")


@pytest.mark.parametrize(
    ("kind", "upscale"),
    [("resnet_generator_6", 1), ("rrdbnet_2_x4", 4), ("rrdbnet_1_x2", 2), ("rrdbnet_1_x1", 1)],
)
def test_any_size_that_is_a_multiple_works(kind, upscale, tmp_path):
    built = _build(_state(kind))
    export.export(built, tmp_path / "weights.onnx")
    session = ort.InferenceSession(tmp_path / "weights.onnx", onnxfile.session_options())
    image = picture(built.meta.input.channels, 36, 52)

    (made,) = session.run(None, {"images": image.numpy()})

    assert built.meta.upscale == upscale
    assert made.shape == (1, 3, 36 * upscale, 52 * upscale)
    with torch.no_grad():
        assert np.abs(made - built.module(image).numpy()).max() < 1e-4


def test_meta_says_ranges_multiples_and_colours():
    resnet, unet = _build(_state("resnet_generator_9")).meta, _build(_state("unet_generator_256")).meta
    rrdb, dcgan = _build(_state("rrdbnet_1_x2")).meta, _build(_state("dcgan_32")).meta

    assert (resnet.low, resnet.high, resnet.input.mean, resnet.input.std) == (-1, 1, (0.5,), (0.5,))
    assert (resnet.input.color, resnet.input.resize, resnet.input.multiple) == ("gray", "native", 8)
    assert (unet.input.multiple, unet.input.channels, unet.task) == (256, 3, "image_to_image")
    assert (rrdb.low, rrdb.high, rrdb.input.multiple, rrdb.task) == (0, 1, 2, "super_resolution")
    assert (dcgan.input.latent, dcgan.input.channels, dcgan.task) == (7, 1, "noise_to_image")


def test_statistics_of_old_instance_norms_are_ignored():
    state = _state("resnet_generator_6")
    old = {**state, "model.2.running_mean": torch.ones(4), "model.2.running_var": torch.full((4,), 9.0)}
    image = picture(3, 32, 32)

    with torch.no_grad():
        assert torch.equal(_build(old).module(image), _build(state).module(image))


OLD_NAMES = {  # of ESRGAN's first release, the trunk's last number being the count of blocks
    "conv_first": "model.0",
    "conv_body": "model.1.sub.2",
    "conv_up1": "model.3",
    "conv_up2": "model.6",
    "conv_hr": "model.8",
    "conv_last": "model.10",
}
MIDDLE_NAMES = {
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
    "conv_hr": "HRconv",
}


def _old(name):
    layer, _, kind = name.rpartition(".")
    if layer in OLD_NAMES:
        return f"{OLD_NAMES[layer]}.{kind}"
    _, block, dense, convolution = layer.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{convolution}.0.{kind}"


def _middle(name):
    layer, _, kind = name.rpartition(".")
    if layer.startswith("body."):
        _, block, dense, convolution = layer.split(".")
        return f"RRDB_trunk.{block}.{dense.upper()}.{convolution}.{kind}"
    return f"{MIDDLE_NAMES.get(layer, layer)}.{kind}"


@pytest.mark.parametrize("renamed", [_old, _middle])
def test_older_names_of_rrdbnet_are_the_same_network(renamed):
    state = _state("rrdbnet_2_x4")
    other = {renamed(name): tensor for name, tensor in state.items()}
    image = picture(3, 16, 16)

    built = _build(other)

    assert built.meta.architecture == "rrdbnet_2_x4"
    with torch.no_grad():
        assert torch.equal(built.module(image), _build(state).module(image))


def test_old_network_with_one_doubling_makes_twice_the_size():
    state = filled(RRDBNet(width=8, growth=4, blocks=2, doublings=1).state_dict())
    names = {**OLD_NAMES, "conv_hr": "model.5", "conv_last": "model.7"}
    other = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        other[f"{names[layer]}.{kind}" if layer in names else _old(name)] = tensor

    built = _build(other)

    assert (built.meta.upscale, built.meta.input.multiple) == (2, 1)
    assert built.module(picture(3, 16, 16)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("kind", ["resnet_generator_6", "unet_generator_256", "rrdbnet_2_x4", "dcgan_64"])
def test_missing_and_unknown_keys_are_told(kind):
    state = _state(kind)
    lost = next(key for key in reversed(state) if key.endswith(".bias") or key.endswith("running_mean"))
    del state[lost]
    state["other.weight"] = torch.zeros(2)

    with pytest.raises(Rejected) as refused:
        _build(state)

    assert refused.value.code == "keys_mismatch"
    assert lost in refused.value.message
    assert "other.weight" in refused.value.message


@pytest.mark.parametrize(
    ("kind", "key", "shape"),
    [
        ("resnet_generator_6", "model.10.conv_block.1.weight", (16, 16, 5, 5)),
        ("unet_generator_256", "model.model.1.model.3.model.5.weight", (1, 6, 4, 4)),
        ("rrdbnet_2_x4", "body.1.rdb3.conv5.weight", (4, 12, 1, 1)),
        ("dcgan_64", "main.3.weight", (32, 16, 3, 3)),
    ],
)
def test_wrong_shapes_are_refused(kind, key, shape):
    state = _state(kind)
    assert state[key].shape != shape

    with pytest.raises(Rejected) as refused:
        _build({**state, key: torch.zeros(shape)})

    assert refused.value.code == "shapes_mismatch"
    assert key in refused.value.message


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_only_grey_and_colour_pictures_work(channels):
    networks = [
        ResnetGenerator(channels, 3, 4, 6),
        UnetGenerator(3, channels, U8, batch_norm=True),
        RRDBNet(channels, 3, 8, 4, 1),
        DcganGenerator(8, (8, 4, channels)),
    ]
    for network in networks:
        with pytest.raises(Rejected) as refused:
            _build(network.state_dict())
        assert refused.value.code == "channels"


def test_networks_that_would_shrink_are_refused():
    with pytest.raises(Rejected) as refused:
        _build(RRDBNet(width=8, growth=4, blocks=1, doublings=1, unshuffle=4).state_dict())

    assert refused.value.code == "scale"


@pytest.mark.parametrize("kind", ["resnet_generator_6", "rrdbnet_1_x2", "rrdbnet_1_x1"])
def test_smallest_size_that_its_multiple_allows_works(kind, tmp_path):
    built = _build(_state(kind))
    side = built.meta.input.multiple
    export.export(built, tmp_path / "weights.onnx")
    session = ort.InferenceSession(tmp_path / "weights.onnx", onnxfile.session_options())

    (made,) = session.run(None, {"images": picture(3, side, side).numpy()})

    assert made.shape == (1, 3, side * built.meta.upscale, side * built.meta.upscale)
