"""Building blocks of YOLOv5 networks, from their published architecture.

Attributes carry the names that checkpoints use in their state dicts (`conv`, `bn`, `cv1`, `m` …); that is
what lets a checkpoint load strictly. All take and give float32 feature maps `(N, channels, height, width)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

BN_EPS = 1e-3  # not PyTorch's default: this family is trained with it
BN_MOMENTUM = 0.03


class Conv(nn.Module):
    """Convolution, batch normalisation, SiLU. An odd kernel keeps the size (divided by the stride) unless
    `padding` says otherwise."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=BN_EPS, momentum=BN_MOMENTUM)
        self.act: nn.Module = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """1 × 1, then 3 × 3; the input is added where the channels allow it and `shortcut` is on."""

    def __init__(self, inputs: int, outputs: int, shortcut: bool = True, expansion: float = 0.5) -> None:
        super().__init__()
        hidden = int(outputs * expansion)
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = Conv(hidden, outputs, 3)
        self.add = shortcut and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C3(nn.Module):
    """Cross-stage partial block: half of the channels pass `repeats` bottlenecks, half pass by them."""

    def __init__(self, inputs: int, outputs: int, repeats: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        hidden = outputs // 2
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = Conv(inputs, hidden)
        self.cv3 = Conv(2 * hidden, outputs)
        self.m = nn.Sequential(*(Bottleneck(hidden, hidden, shortcut, 1.0) for _ in range(repeats)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class SPP(nn.Module):
    """Spatial pyramid pooling: maxima over neighbourhoods of several sizes, side by side (up to v5)."""

    def __init__(self, inputs: int, outputs: int, kernels: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        hidden = inputs // 2
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = Conv(hidden * (len(kernels) + 1), outputs)
        self.m = nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in kernels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.cv1(x)
        return self.cv2(torch.cat([x, *(pool(x) for pool in self.m)], 1))


class SPPF(nn.Module):
    """The same pyramid from one small pooling, applied three times over (v6 and later)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 5) -> None:
        super().__init__()
        hidden = inputs // 2
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = Conv(hidden * 4, outputs)
        self.m = nn.MaxPool2d(kernel, 1, kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [self.cv1(x)]
        for _ in range(3):
            maps.append(self.m(maps[-1]))
        return self.cv2(torch.cat(maps, 1))


class Focus(nn.Module):
    """The stem up to v5: every second pixel of every second row, four times, becomes four times the
    channels."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None
    ) -> None:
        super().__init__()
        self.conv = Conv(4 * inputs, outputs, kernel, stride, padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.conv(torch.cat(corners, 1))


class Concat(nn.Module):
    """Feature maps of one size, joined along the channels."""

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(tuple(maps), 1)
