"""Inception v3 (Szegedy et al. 2015) with torchvision's layer names, without the auxiliary classifier.

torchvision's own weights were trained on pixels scaled to -1..1: its network turns ImageNet-normalised input
back to that (`transform_input`), and whoever starts from them inherits it. The state dict doesn't tell; -1..1
is what nearly all such files expect, so that is what photos are scaled to here, without the detour.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from model_images.converter.architecture import Architecture, Built, Checkpoint
from model_images.converter.architectures._classifiers import built
from model_images.converter.architectures._loading import shape
from model_images.runtime.metadata import InputMeta

_META = InputMeta(
    width=299, height=299, resize="crop", resize_to=342, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)
Kernel = int | tuple[int, int]


class Convolution(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, given: int, made: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, made, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(made, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


def _mean_around(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 3, 1, 1)


class Mixed35(nn.Module):
    """35×35: 1×1, 5×5, two 3×3, pooled (figure 5 of the paper)."""

    def __init__(self, given: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(given, 64, 1)
        self.branch5x5_1 = Convolution(given, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(given, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(given, pooled, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_mean_around(x))], 1)


class Reduce35(nn.Module):
    """35×35 to 17×17 (figure 10)."""

    def __init__(self, given: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(given, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(given, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, 2)], 1)


class Mixed17(nn.Module):
    """17×17: 1×1, 7×7 in two strips, twice that, pooled (figure 6). `inside`: channels between."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        wide, high = (1, 7), (7, 1)
        sideways, upright = (0, 3), (3, 0)
        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1 = Convolution(768, inside, 1)
        self.branch7x7_2 = Convolution(inside, inside, wide, padding=sideways)
        self.branch7x7_3 = Convolution(inside, 192, high, padding=upright)
        self.branch7x7dbl_1 = Convolution(768, inside, 1)
        self.branch7x7dbl_2 = Convolution(inside, inside, high, padding=upright)
        self.branch7x7dbl_3 = Convolution(inside, inside, wide, padding=sideways)
        self.branch7x7dbl_4 = Convolution(inside, inside, high, padding=upright)
        self.branch7x7dbl_5 = Convolution(inside, 192, wide, padding=sideways)
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), seven, twice, self.branch_pool(_mean_around(x))], 1)


class Reduce17(nn.Module):
    """17×17 to 8×8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(768, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(768, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)


class Mixed8(nn.Module):
    """8×8: 1×1, 3×3 in two strips side by side, the same after another 3×3, pooled (figure 7)."""

    def __init__(self, given: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(given, 320, 1)
        self.branch3x3_1 = Convolution(given, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(given, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(given, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(twice),
            self.branch3x3dbl_3b(twice),
            self.branch_pool(_mean_around(x)),
        ]
        return torch.cat(parts, 1)


class InceptionV3(nn.Module):
    """`(N, 3, 299, 299)` to logits `(N, classes)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = Mixed35(192, 32)
        self.Mixed_5c = Mixed35(256, 64)
        self.Mixed_5d = Mixed35(288, 64)
        self.Mixed_6a = Reduce35(288)
        self.Mixed_6b = Mixed17(128)
        self.Mixed_6c = Mixed17(160)
        self.Mixed_6d = Mixed17(160)
        self.Mixed_6e = Mixed17(192)
        self.Mixed_7a = Reduce17()
        self.Mixed_7b = Mixed8(1280)
        self.Mixed_7c = Mixed8(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_7a(self.Mixed_6e(self.Mixed_6d(x)))
        x = self.Mixed_7c(self.Mixed_7b(x))
        result: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return result


class InceptionV3Architecture(Architecture):
    name = "inception_v3"
    title = "Inception v3"
    family = "classifier"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return shape(state, "Conv2d_1a_3x3.conv.weight") == (32, 3, 3, 3) and "fc.weight" in state

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        return built(
            InceptionV3,
            checkpoint,
            labels,
            last_layer="fc",
            name=self.name,
            title=self.title,
            meta=_META,
            dropped=r"AuxLogits\.",
        )
