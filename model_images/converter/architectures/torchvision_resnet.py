"""ResNet 18, 34 and 50 (He et al. 2015) with torchvision's layer names.

In ResNet 50 the 3×3 convolution of a block has the stride, as in torchvision ("v1.5"), not the first 1×1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._classifiers import built, cropped
from model_images.converter.architectures._loading import numbers, shape

# blocks in each of the four stages, and whether a block is a bottleneck
_KINDS = {
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
}


class _Block(nn.Module):
    """relu(f(x) + x), x brought to f's size by `downsample` where that differs."""

    conv1: nn.Module
    bn1: nn.Module

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        if stride != 1 or given != made:
            self.downsample: nn.Module | None = nn.Sequential(
                nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made)
            )
        else:
            self.downsample = None

    def changed(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        same = self.downsample(x) if self.downsample is not None else x
        result: torch.Tensor = self.relu(self.changed(x) + same)
        return result


class BasicBlock(_Block):
    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__(given, width, stride)
        self.conv1 = nn.Conv2d(given, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def changed(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return result


class Bottleneck(_Block):
    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__(given, 4 * width, stride)
        self.conv1 = nn.Conv2d(given, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)

    def changed(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        result: torch.Tensor = self.bn3(self.conv3(x))
        return result


class ResNet(nn.Module):
    """`(N, 3, h, w)` to logits `(N, classes)`."""

    def __init__(self, stages: Sequence[int], bottleneck: bool, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        block: type[_Block] = Bottleneck if bottleneck else BasicBlock
        given = 64
        for number, count in enumerate(stages):
            width = 64 * 2**number
            blocks = []
            for index in range(count):
                blocks.append(block(given, width, 2 if number and not index else 1))
                given = 4 * width if bottleneck else width
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(given, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        result: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return result


class TorchvisionResnetArchitecture(Architecture):
    name = "torchvision_resnet"
    title = "ResNet 18, 34 or 50"
    family = "classifier"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "conv1.weight") == (64, 3, 7, 7)
            and "layer4.0.conv2.weight" in state
            and "fc.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        kind = _kind(checkpoint.state)
        stages, bottleneck = _KINDS[kind]
        return built(
            partial(ResNet, stages, bottleneck),
            checkpoint,
            labels,
            last_layer="fc",
            name=kind,
            title=f"ResNet {kind.removeprefix('resnet')}",
            meta=cropped(224, 256),
        )


def _kind(state: Mapping[str, torch.Tensor]) -> str:
    stages = tuple(len(numbers(state, rf"layer{number}\.(\d+)\.")) for number in range(1, 5))
    bottleneck = "layer1.0.conv3.weight" in state
    for kind, description in _KINDS.items():
        if description == (stages, bottleneck):
            return kind
    raise Rejected(
        "keys_mismatch",
        f"The weights are those of a network with {', '.join(map(str, stages))} blocks in layer1 to layer4, "
        "which is none of ResNet 18, 34 and 50.",
    )
