"""The ResNet generator of CycleGAN (Zhu et al. 2017, after Johnson et al. 2016), also used with pix2pix.

A 7×7 convolution, two that halve the size, residual blocks, two transposed convolutions that double it, and
a 7×7 convolution to the image; every convolution but the last is normalised. The layers are numbered as in
checkpoints of the original: `model.1`, `model.4`, `model.7`, blocks from `model.10`, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._images import norm, tanh_meta
from model_images.converter.architectures._loading import image_axes, numbers, shape, strictly_loaded

_FIRST_BLOCK = 10
_BLOCK = r"model\.(\d+)\.conv_block\."
_MOST_BLOCKS = 32
_MULTIPLE = 8  # 4 would do, but the reflection within the blocks needs two pixels each way


class ResidualBlock(nn.Module):
    """x + f(x), f two reflected 3×3 convolutions. `gap`: the original had dropout between them (idle once
    trained, but it shifts the numbers of the layers)."""

    def __init__(self, channels: int, batch_norm: bool, gap: bool) -> None:
        super().__init__()
        bias = not batch_norm
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm(channels, batch_norm),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm(channels, batch_norm),
        ]
        if gap:
            layers.insert(4, nn.Identity())
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.conv_block(x)
        return result


class ResnetGenerator(nn.Module):
    """`(N, channels, h, w)` in -1..1 to `(N, out_channels, h, w)` in -1..1; sides multiples of 4, from 8."""

    def __init__(
        self,
        channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 9,
        *,
        batch_norm: bool = False,
        gap: bool = False,
    ) -> None:
        super().__init__()
        bias = not batch_norm  # a batch norm has its own

        def normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
            return [convolution, norm(channels, batch_norm), nn.ReLU()]

        down = [
            nn.ReflectionPad2d(3),
            *normed(nn.Conv2d(channels, width, 7, bias=bias), width),
            *normed(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), 2 * width),
            *normed(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=bias), 4 * width),
        ]
        middle = [ResidualBlock(4 * width, batch_norm, gap) for _ in range(blocks)]
        up = [
            *normed(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1, bias=bias), 2 * width),
            *normed(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=bias), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh(),
        ]
        self.model = nn.Sequential(*down, *middle, *up)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.model(images)
        return result


class ResnetGeneratorArchitecture(Architecture):
    name = "resnet_generator"
    title = "ResNet generator (CycleGAN, pix2pix)"
    family = "gan"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "model.1.weight")[2:] == (7, 7)
            and shape(state, "model.4.weight")[2:] == (3, 3)
            and f"model.{_FIRST_BLOCK}.conv_block.1.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        state = checkpoint.state
        network = _network(state)
        # Files from before PyTorch 0.4 hold statistics of instance norms; the original ignores them too.
        statistics = (
            None if _has_batch_norm(state) else r".*\.(running_mean|running_var|num_batches_tracked)$"
        )
        module = strictly_loaded(network, state, self.title, dropped=statistics)
        blocks = len(numbers(state, _BLOCK))
        channels, out_channels = _channels(state)
        return Built(
            module=module,
            example=torch.zeros(1, channels, 256, 256),
            meta=tanh_meta(f"{self.name}_{blocks}", channels, out_channels, multiple=_MULTIPLE),
            dynamic=image_axes(),
        )


def _has_batch_norm(state: Mapping[str, torch.Tensor]) -> bool:
    return "model.2.weight" in state


def _channels(state: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    last = max(numbers(state, r"model\.(\d+)\.weight$"), default=0)
    return shape(state, "model.1.weight")[1], shape(state, f"model.{last}.weight")[0]


def _network(state: Mapping[str, torch.Tensor]) -> ResnetGenerator:
    first = shape(state, "model.1.weight")
    blocks = numbers(state, _BLOCK)
    if len(first) != 4 or not 1 <= len(blocks) <= _MOST_BLOCKS:
        raise Rejected(
            "keys_mismatch",
            "The weights are not those of a ResNet generator: model.1.weight (7×7) and residual blocks "
            "called model.10.conv_block.1.weight and so on are expected.",
        )
    channels, out_channels = _channels(state)
    gap = any(
        re.match(rf"model\.{blocks[0]}\.conv_block\.6\.weight", key) and value.dim() == 4
        for key, value in state.items()
    )
    batch_norm = _has_batch_norm(state)
    with torch.device("meta"):
        return ResnetGenerator(channels, out_channels, first[0], len(blocks), batch_norm=batch_norm, gap=gap)
