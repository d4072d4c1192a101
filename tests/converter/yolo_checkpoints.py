"""Checkpoints as the safe loader hands them over, of small networks with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from model_images.converter.architecture import Checkpoint
from model_images.converter.nets.yolo import Head, Network
from model_images.converter.nets.yolo_config import STANDARD, read
from model_images.converter.nets.yolo_heads import AnchorHead, DflHead

NAMES = ("bolt", "nut", "washer")
ANCHORS = torch.tensor(
    [
        [[1.25, 1.625], [2.0, 3.75], [4.125, 2.875]],
        [[1.875, 3.8125], [3.875, 2.8125], [3.6875, 7.4375]],
        [[3.625, 2.8125], [4.875, 6.1875], [11.65625, 10.1875]],
    ]
)
YAML = STANDARD | {"depth_multiple": 0.33, "width_multiple": 0.125, "ch": 3}


def network(yaml: Mapping[str, Any] = YAML, *, anchors: bool = True, seed: int = 1) -> Network:
    torch.manual_seed(seed)
    classes = len(NAMES)

    def head(channels: Any) -> Head:
        return AnchorHead(classes, ANCHORS, channels) if anchors else DflHead(classes, channels)

    made = Network(read(yaml, classes, 0), head)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return made.eval()


def checkpoint(
    made: Network | None = None, yaml: Mapping[str, Any] | None = YAML, *, anchors: bool = True, **config: Any
) -> Checkpoint:
    state = (made or network(anchors=anchors)).state_dict()
    known = {"names": list(NAMES), "checkpoint": {"opt": {"imgsz": 96}}} | config
    if yaml is not None:
        known["yaml"] = dict(yaml)
    return Checkpoint(state=state, config=known, origin="yolov5" if anchors else "ultralytics")
