"""Networks with random numbers in them, as torch modules and as the weights files that our converter makes of
them: how long a network takes does not depend on what it has learned."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import jobfolder
from model_images.converter import export
from model_images.converter.architecture import Architecture, Built, Checkpoint
from model_images.converter.architectures.resnet_generator import (
    ResnetGenerator,
    ResnetGeneratorArchitecture,
)
from model_images.converter.architectures.torchvision_resnet import ResNet, TorchvisionResnetArchitecture
from model_images.converter.architectures.yolov5 import YoloV5, YoloV5u
from model_images.converter.nets.yolo import Network
from model_images.converter.nets.yolo_config import STANDARD, read
from model_images.converter.nets.yolo_heads import AnchorHead

CLASSES = 80
_ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]


@dataclass(frozen=True)
class Made:
    """A network both ways; `path` lies where the runtime looks for `sha256` below its data folder."""

    name: str
    built: Built
    sha256: str
    data_dir: Path


def has_ultralytics() -> bool:
    return importlib.util.find_spec("ultralytics") is not None


def ultralytics_model() -> Any:
    """Its YOLOv5n (without anchors), with random numbers."""
    for name, value in (("OFFLINE", "true"), ("AUTOINSTALL", "false"), ("CONFIG_DIR", tempfile.gettempdir())):
        os.environ.setdefault(f"YOLO_{name}", value)
    from ultralytics import YOLO

    torch.manual_seed(1)
    return YOLO("yolov5n.yaml")


def detector(data_dir: Path, theirs: Any = None) -> Made:
    """YOLOv5n for 640 pixels: with the numbers of `theirs`, ultralytics' model; else with anchors."""
    if theirs is not None:
        model = theirs.model.float().eval()
        config = {"yaml": dict(model.yaml), "names": dict(model.names)}
        return _made(
            "yolov5n(u) 640", YoloV5u(), Checkpoint(model.state_dict(), config, "ultralytics"), data_dir
        )
    torch.manual_seed(1)
    config = STANDARD | {"depth_multiple": 0.33, "width_multiple": 0.25}
    anchors = torch.tensor(_ANCHORS).float().view(3, 3, 2) / torch.tensor([8.0, 16, 32]).view(3, 1, 1)
    plan = read(config, CLASSES, 3 * (CLASSES + 5))
    network = Network(plan, lambda channels: AnchorHead(CLASSES, anchors, channels))
    return _made(
        "yolov5n 640", YoloV5(), Checkpoint(network.state_dict(), {"yaml": config}, "yolov5"), data_dir
    )


def generator(data_dir: Path) -> Made:
    """A small ResNet generator: 16 channels, 6 blocks."""
    torch.manual_seed(1)
    state = ResnetGenerator(width=16, blocks=6).state_dict()
    return _made(
        "ResNet generator, 16 × 6 blocks", ResnetGeneratorArchitecture(), Checkpoint(state), data_dir
    )


def classifier(data_dir: Path) -> Made:
    torch.manual_seed(1)
    state = ResNet((2, 2, 2, 2), False, 1000).state_dict()
    return _made("resnet18 224", TorchvisionResnetArchitecture(), Checkpoint(state), data_dir)


def _made(name: str, architecture: Architecture, checkpoint: Checkpoint, data_dir: Path) -> Made:
    labels = None
    if architecture.family != "gan":
        count = CLASSES if architecture.family == "yolov5" else 1000
        labels = [f"class {number}" for number in range(count)]
    built = architecture.build(checkpoint, labels)
    folder = data_dir / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "new.onnx"
    export.export(built, partial)
    sha256 = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.rename(jobfolder.weights_path(data_dir, sha256))
    return Made(name, built, sha256, data_dir)
