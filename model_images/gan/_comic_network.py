"""The networks of the sample generator: a small ResNet generator with shortcuts, and its judge."""

from __future__ import annotations

import torch
from torch import nn


def _normed(channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, padding_mode="reflect", bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _normed(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.second(self.first(x))
        return result


class ComicGenerator(nn.Module):
    """`(N, 3, h, w)` in -1..1 to the same; h and w multiples of 4, 8 at least.

    As the ResNet generator of CycleGAN, with two differences: what is known at full and at half size is
    added again on the way up, so that thin lines survive, and sizes are doubled by repeating pixels before a
    convolution, which leaves no chequered pattern. Batch norm, because the statistics of one photo (instance
    norm) would make a photo's corner look different with and without the rest.
    """

    def __init__(self, width: int = 12, blocks: int = 3) -> None:
        super().__init__()
        self.at_full = _normed(3, width, 5)
        self.at_half = _normed(width, 2 * width, 3, 2)
        self.at_quarter = _normed(2 * width, 4 * width, 3, 2)
        self.blocks = nn.Sequential(*(_Block(4 * width) for _ in range(blocks)))
        self.to_half = _normed(4 * width, 2 * width)
        self.to_full = _normed(2 * width, width)
        self.paint = nn.Sequential(
            _normed(width, width), nn.Conv2d(width, 3, 5, 1, 2, padding_mode="reflect")
        )
        self.twice = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        full = self.at_full(images)
        half = self.at_half(full)
        x = self.blocks(self.at_quarter(half))
        x = self.twice(self.to_half(x)) + half
        x = self.twice(self.to_full(x)) + full
        return torch.tanh(self.paint(x) + 1.5 * images)


class Judge(nn.Module):
    """A PatchGAN (Isola et al. 2017) of three layers: `(N, 6, h, w)`, photo and picture, to one verdict for
    each patch of 22 pixels."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )

    def forward(self, photo: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(torch.cat([photo, picture], 1))
        return result
