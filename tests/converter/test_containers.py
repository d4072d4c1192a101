"""How weights come: every container that training scripts write, to the same tensors; and the whole way from
a state dict to ONNX with a small network of the tests' own."""

from __future__ import annotations

import argparse
import collections
import pathlib
import sys
import types

import numpy as np
import pytest

from model_images.converter import contents, registry, steps
from model_images.converter.architecture import Architecture, Built, Rejected
from model_images.converter.steps import Options
from model_images.runtime.metadata import InputMeta, WeightsMeta

torch = pytest.importorskip("torch")

from model_images.converter import loading  # noqa: E402 - needs torch

nn = torch.nn


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).mean(dim=(2, 3)))


class SmallArchitecture(Architecture):
    name, title, family = "small", "Small", "classifier"

    def matches(self, checkpoint):
        return "head.weight" in checkpoint.state

    def build(self, checkpoint, labels):
        module = Small().eval()
        module.load_state_dict(dict(checkpoint.state))
        meta = WeightsMeta(
            family="classifier", task="classification", output="logits", classes=tuple(labels or ("a", "b")),
            input=InputMeta(width=32, height=32), architecture="small",
        )  # fmt: skip
        return Built(
            module, torch.zeros(1, 3, 32, 32), meta, {"images": {0: "batch"}, "output": {0: "batch"}}
        )


@pytest.fixture
def state():
    torch.manual_seed(0)
    return Small().state_dict()


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


CONTAINERS = {
    "bare": lambda s: s,
    "state_dict": lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"state": {}}},
    "model": lambda s: {"model": s, "args": argparse.Namespace(lr=1.0), "path": pathlib.PurePosixPath("/x")},
    "params": lambda s: {"params": s},
    "params_ema": lambda s: {"params": {k: v * 0 for k, v in s.items()}, "params_ema": s},
    "generator": lambda s: {"generator": s, "discriminator": {"x": torch.zeros(1)}},
    "netG": lambda s: {"netG": s},
    "G": lambda s: {"G": s},
    "nested": lambda s: {"model": {"state_dict": s}},
    "DataParallel": lambda s: prefixed(s, "module."),
    "compiled": lambda s: {"state_dict": prefixed(s, "_orig_mod.")},
    "generator prefix": lambda s: {**prefixed(s, "generator."), "discriminator.x": torch.zeros(1)},
    "half": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "numpy score": lambda s: {"state_dict": s, "best": np.float64(0.5), "curve": np.zeros(3)},
    "default dict": lambda s: {"state_dict": s, "log": collections.defaultdict(list)},
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_tensors(tmp_path, state, container, zipped):
    path = tmp_path / "a.bin"
    torch.save(CONTAINERS[container](state), path, _use_new_zipfile_serialization=zipped)

    found = loading.load(path, contents.kind_of(path))

    assert found.origin == "state_dict"
    assert set(found.state) == set(state)
    for name, tensor in state.items():
        assert found.state[name].dtype in {torch.float32, torch.int64}
        assert torch.allclose(found.state[name].double(), tensor.double(), atol=1e-3)


def test_safetensors_give_the_same_tensors(tmp_path, state):
    from safetensors.torch import save_file

    path = tmp_path / "a.bin"
    save_file(state, path)

    found = loading.load(path, contents.kind_of(path))

    assert {name: tensor.tolist() for name, tensor in found.state.items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }


@pytest.fixture
def yolo_module(monkeypatch):
    """A module of the name under which the original repository pickles its models."""
    made = types.ModuleType("models.yolo")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.yaml = {"nc": 2, "anchors": [[10, 13, 16, 30]]}
            self.names, self.stride = ["cat", "dog"], torch.tensor([8.0, 16.0])
            self.model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU())
            self.register_buffer("passing", torch.zeros(1), persistent=False)

    Model.__module__, Model.__qualname__ = "models.yolo", "Model"
    made.Model = Model
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.yolo", made)
    return Model


@pytest.mark.parametrize("averaged", [True, False])
def test_pickled_yolov5_model_is_flattened_without_its_classes(tmp_path, monkeypatch, yolo_module, averaged):
    model, other = yolo_module().half(), yolo_module()
    path = tmp_path / "a.pt"
    held = {"model": other, "ema": model} if averaged else {"model": model, "ema": None}
    torch.save({**held, "epoch": 7, "opt": argparse.Namespace(img=640), "date": "2021"}, path)
    monkeypatch.delitem(sys.modules, "models.yolo")

    found = loading.load(path, contents.kind_of(path))

    assert found.origin == "yolov5"
    assert set(found.state) == {"model.0.weight", "model.0.bias"}
    assert torch.equal(found.state["model.0.weight"], model.state_dict()["model.0.weight"].float())
    assert found.config["names"] == ["cat", "dog"]
    assert found.config["stride"] == [8.0, 16.0]
    assert found.config["yaml"]["nc"] == 2
    assert found.config["modules"]["model.0"]["class"] == "torch.nn.modules.conv.Conv2d"
    assert found.config["modules"]["model.0"]["kernel_size"] == [1, 1]
    assert found.config["checkpoint"]["opt"] == {"img": 640}
    assert found.config["checkpoint"]["epoch"] == 7


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(registry, "known", lambda: {"small": SmallArchitecture()})


def options(tmp_path, state, **given):
    upload = tmp_path / "upload.pt"
    torch.save(state, upload)
    (tmp_path / "out").mkdir()
    return Options(
        **{"step": "convert", "out": tmp_path / "out", "upload": upload, "family": "classifier", **given}
    )


def test_state_dict_becomes_onnx_that_agrees_with_torch(tmp_path, state, small):
    chosen = options(tmp_path, state, torch=True)

    converted = steps.convert(chosen)
    checked = steps.check(chosen)

    assert converted["architecture"] == "small"
    assert 0 <= converted["compared"]["max_difference"] < 1e-4
    assert (checked["task"], checked["classes"]) == ("classification", 2)


def test_wrong_weights_are_noticed_after_conversion(tmp_path, state, small, monkeypatch):
    """Whatever goes wrong in the export: the answer would differ."""
    from model_images.converter import export

    chosen = options(tmp_path, state, torch=True)
    network = export.export

    def spoiled(built, path):
        network(built, path)
        with torch.no_grad():
            built.module.head.bias += 1

    monkeypatch.setattr(export, "export", spoiled)

    with pytest.raises(Rejected) as caught:
        steps.convert(chosen)

    assert caught.value.code == "differs"


def test_without_torch_the_step_asks_for_it(tmp_path, state):
    assert steps.convert(options(tmp_path, state)) == {"status": steps.AGAIN}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"architecture": "resnet999"}, "unknown_architecture"),
        ({"family": "gan"}, "wrong_family"),
    ],
)
def test_network_of_another_name_or_family_is_refused(tmp_path, state, small, given, code):
    with pytest.raises(Rejected) as caught:
        steps.convert(options(tmp_path, state, torch=True, **given))

    assert caught.value.code == code


def test_unknown_network_is_told_what_is_known(tmp_path, small):
    with pytest.raises(Rejected) as caught:
        steps.convert(options(tmp_path, {"odd.weight": torch.zeros(1)}, torch=True))

    assert caught.value.code == "unknown_architecture"
    assert "odd.weight" in caught.value.message
    assert "small" in caught.value.message


@pytest.mark.parametrize("text", ["{}", "[]", "3", "[1]", '{"1": "a"}', "[", '[""]', "[" * 100_000])
def test_labels_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "labels.json"
    path.write_text(text)

    with pytest.raises(Rejected) as caught:
        steps.read_labels(path)

    assert caught.value.code == "bad_labels"
