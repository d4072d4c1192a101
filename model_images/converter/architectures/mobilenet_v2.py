"""MobileNetV2 (Sandler et al. 2018) with torchvision's layer names, width 1.0."""

from __future__ import annotations

import torch
from torch import nn

from model_images.converter.architectures._classifiers import convolved
from model_images.converter.architectures._mobile import FIRST, MobileArchitecture, MobileNetwork

# how much wider inside, channels made, blocks, stride of the first (table 2 of the paper)
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Wider, depthwise 3×3, narrower again; added to what came in where the shape is the same."""

    def __init__(self, given: int, made: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = given * wider
        layers: list[nn.Module] = []
        if wider != 1:
            layers.append(convolved(given, inside, 1, 1, 1, nn.ReLU6))
        layers += [
            convolved(inside, inside, 3, stride, inside, nn.ReLU6),
            nn.Conv2d(inside, made, 1, bias=False),
            nn.BatchNorm2d(made),
        ]
        self.conv = nn.Sequential(*layers)
        self.added = stride == 1 and given == made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.conv(x) if self.added else self.conv(x)
        return result


class MobileNetV2(MobileNetwork):
    def __init__(self, classes: int) -> None:
        blocks: list[nn.Module] = []
        given = FIRST
        for wider, made, count, stride in _STAGES:
            for index in range(count):
                blocks.append(InvertedResidual(given, made, 1 if index else stride, wider))
                given = made
        super().__init__(blocks, given, nn.ReLU6, classes)


class MobileNetV2Architecture(MobileArchitecture):
    name = "mobilenet_v2"
    title = "MobileNetV2"
    network = MobileNetV2
    mark = "features.1.conv.0.0.weight"
