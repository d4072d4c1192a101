"""Makes a genuine YOLOv5 checkpoint with the original package: `make_checkpoint.py ORIGIN FOLDER`.

Run in a process of its own with the packages of `make genuine` on PYTHONPATH. ORIGIN is one of MAKERS.
It writes into FOLDER
    checkpoint.pt   as the original's training saves it: a pickled model, half precision, random weights
    image.npy       an input, `(2, 3, side, side)` float32
    output.npy      what the original's own network answers to it, decoded, in eval mode and float32
The networks are small (an eighth of the width), so that a checkpoint is a few hundred kilobytes.

The packages ask for many others that networks don't need (pandas, seaborn, torchvision …): modules that
aren't installed are answered with empty ones here.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIDE = 128
NAMES = ["bolt", "nut", "washer"]

STAND_INS = {
    "IPython", "boto3", "cpuinfo", "fire", "git", "huggingface_hub", "matplotlib", "pandas", "PIL",
    "pkg_resources", "polars", "psutil", "requests", "roboflow", "sahi", "scipy", "seaborn", "tensorboard",
    "thop", "torchvision", "tqdm", "ultralytics_thop",
}  # fmt: skip


class _Anything(types.ModuleType):
    """A module whose every attribute exists, can be called, subclassed and looked into."""

    __path__: list[str] = []
    __version__ = "0.28.0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return type(name, (_Thing,), {})


class _Meta(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _Thing


class _Thing(metaclass=_Meta):
    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *args: Any, **_: Any) -> Any:
        return args[0] if args and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _Thing()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last in line: only for what isn't installed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in STAND_INS:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        if module.__name__ == "pkg_resources":  # gone from setuptools; asked to compare versions
            from packaging.version import parse

            module.parse_version = parse


def stand_in_for_missing() -> None:
    sys.meta_path.append(_Finder())
    real = importlib.metadata.version

    def version(name: str) -> str:
        try:
            return real(name)
        except importlib.metadata.PackageNotFoundError:
            return "0.28.0"

    importlib.metadata.version = version


def original(description: str = "yolov5n.yaml", class_name: str = "DetectionModel") -> dict[str, Any]:
    """The original repository's v7 code; `class_name` is what its model was called at the time."""
    import yolov5
    from yolov5.models import common, experimental, yolo

    as_repository(yolo, common, experimental)
    yolo.DetectionModel.__qualname__ = class_name
    folder = Path(yolov5.__file__).parent / "models"
    config = load_yaml(folder / description) | {"width_multiple": 0.125}
    model = lively(yolo.DetectionModel(config, ch=3, nc=len(NAMES)))
    model.names = list(NAMES)
    return {
        "epoch": 4,
        "model": model,
        "ema": None,
        "optimizer": None,
        "opt": {"imgsz": SIDE},
        "date": "2023",
    }


def as_repository(*modules: types.ModuleType) -> None:
    """Have classes pickled under the names of the repository, where the package is called `models`."""
    package = sys.modules["models"] = types.ModuleType("models")
    for module in modules:
        short = module.__name__.removeprefix("yolov5.")
        sys.modules[short] = module
        setattr(package, short.rpartition(".")[2], module)
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                value.__module__ = short


def ultralytics(scale: str) -> dict[str, Any]:
    from ultralytics import __version__
    from ultralytics import nn as ultralytics_nn
    from ultralytics.nn.tasks import DetectionModel

    folder = Path(ultralytics_nn.__file__).parents[1] / "cfg" / "models" / "v5"
    config = load_yaml(folder / "yolov5.yaml") | {"scales": {"n": [0.33, 0.125, 1024]}, "scale": scale}
    model = lively(DetectionModel(config, ch=3, nc=len(NAMES), verbose=False))
    model.names = dict(enumerate(NAMES))
    model.args = {"imgsz": SIDE, "task": "detect"}
    told = {"version": __version__, "license": "AGPL-3.0 License (https://ultralytics.com/license)"}
    return {"epoch": -1, "model": None, "ema": model, "train_args": {"imgsz": SIDE}, **told}


def load_yaml(path: Path) -> dict[str, Any]:
    """PyYAML comes with the environment of `make test`."""
    import yaml

    return yaml.safe_load(path.read_text())


def lively(model: torch.nn.Module) -> torch.nn.Module:
    """Random weights whose answers differ from place to place, and normalisations that have seen
    something."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            shape = module.running_mean.shape
            module.running_mean = torch.randn(shape, generator=generator) * 0.1
            module.running_var = torch.rand(shape, generator=generator) + 0.5
            module.weight.data = torch.rand(shape, generator=generator) + 0.8
            module.bias.data = torch.randn(shape, generator=generator) * 0.1
    return model


MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "yolov5-v7": original,
    "yolov5-v6": lambda: original(class_name="Model"),
    "yolov5-p6": lambda: original("hub/yolov5n6.yaml"),
    "yolov5-leaky": lambda: original("hub/yolov5s-LeakyReLU.yaml"),
    "yolov5u": lambda: ultralytics("n"),
}


def main() -> None:
    origin, folder = sys.argv[1], Path(sys.argv[2])
    stand_in_for_missing()
    torch.manual_seed(7)
    saved = MAKERS[origin]()
    key = "ema" if saved.get("ema") is not None else "model"
    model = saved[key].half()
    torch.save(saved | {key: deepcopy(model)}, folder / "checkpoint.pt")
    image = np.random.default_rng(5).random((2, 3, SIDE, SIDE), dtype=np.float32)
    with torch.no_grad():
        output = model.float().eval()(torch.from_numpy(image))
    np.save(folder / "image.npy", image)
    np.save(folder / "output.npy", (output[0] if isinstance(output, tuple | list) else output).numpy())


if __name__ == "__main__":
    main()
