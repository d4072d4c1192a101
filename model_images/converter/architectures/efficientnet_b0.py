"""EfficientNet-B0 (Tan and Le 2019) with torchvision's layer names."""

from __future__ import annotations

import torch
from torch import nn

from model_images.converter.architectures._classifiers import convolved
from model_images.converter.architectures._mobile import FIRST, MobileArchitecture, MobileNetwork

# how much wider inside, side of the depthwise kernel, stride of the first, channels made, blocks (table 1)
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class SqueezeExcitation(nn.Module):
    """Each channel times a factor 0..1 made from the means of all (Hu et al. 2017)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean((2, 3), keepdim=True)
        result: torch.Tensor = x * torch.sigmoid(self.fc2(self.activation(self.fc1(means))))
        return result


class MBConv(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, given: int, made: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = given * wider
        layers: list[nn.Module] = []
        if wider != 1:
            layers.append(convolved(given, inside, 1, 1, 1, nn.SiLU))
        layers += [
            convolved(inside, inside, kernel, stride, inside, nn.SiLU),
            SqueezeExcitation(inside, max(1, given // 4)),
            convolved(inside, made, 1, 1, 1, nn.Identity),
        ]
        self.block = nn.Sequential(*layers)
        self.added = stride == 1 and given == made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.block(x) if self.added else self.block(x)
        return result


class EfficientNetB0(MobileNetwork):
    def __init__(self, classes: int) -> None:
        stages: list[nn.Module] = []
        given = FIRST
        for wider, kernel, stride, made, count in _STAGES:
            blocks = []
            for index in range(count):
                blocks.append(MBConv(given, made, kernel, 1 if index else stride, wider))
                given = made
            stages.append(nn.Sequential(*blocks))
        super().__init__(stages, given, nn.SiLU, classes)


class EfficientNetB0Architecture(MobileArchitecture):
    name = "efficientnet_b0"
    title = "EfficientNet-B0"
    network = EfficientNetB0
    mark = "features.1.0.block.0.0.weight"
