"""RRDBNet, the generator of ESRGAN (Wang et al. 2018) and Real-ESRGAN (Wang et al. 2021): larger images.

A convolution, many residual-in-residual dense blocks, two (or fewer) doublings by repeated pixels and a
convolution, two convolutions to the image. Three ways of naming the layers are in use; all become
`conv_first`, `body.0.rdb1.conv1`, … here. Real-ESRGAN's ×2 and ×1 networks are the ×4 one behind a pixel
unshuffle, which shows in the channels of its first convolution: 12 or 48 instead of 3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._images import channel_count
from model_images.converter.architectures._loading import image_axes, numbers, shape, strictly_loaded
from model_images.runtime.metadata import InputMeta, WeightsMeta

_RESIDUAL = 0.2  # how much of each block's result is added
_MOST_BLOCKS = 64
_State = Mapping[str, torch.Tensor]


class DenseBlock(nn.Module):
    """Five 3×3 convolutions, each of which sees what all before it made."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            made = width if number == 5 else growth
            setattr(self, f"conv{number}", nn.Conv2d(width + (number - 1) * growth, made, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = x
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, F.leaky_relu(convolution(seen), 0.2)], 1)
        result: torch.Tensor = x + _RESIDUAL * self.conv5(seen)
        return result


class TripleBlock(nn.Module):
    """Three dense blocks, and their result added to what came in."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + _RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))
        return result


class RRDBNet(nn.Module):
    """`(N, channels, h, w)` in 0..1 to `(N, out_channels, h * s, w * s)` with s = 2**doublings / unshuffle;
    h and w multiples of `unshuffle`."""

    def __init__(
        self,
        channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        growth: int = 32,
        blocks: int = 23,
        doublings: int = 2,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.doublings = doublings
        self.conv_first = nn.Conv2d(channels * unshuffle**2, width, 3, 1, 1)
        self.body = nn.Sequential(*(TripleBlock(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, 1, 1)
        for number in range(1, doublings + 1):
            setattr(self, f"conv_up{number}", nn.Conv2d(width, width, 3, 1, 1))
        self.conv_hr = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_last = nn.Conv2d(width, out_channels, 3, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.pixel_unshuffle(images, self.unshuffle) if self.unshuffle > 1 else images
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for number in range(1, self.doublings + 1):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = F.leaky_relu(getattr(self, f"conv_up{number}")(x), 0.2)
        result: torch.Tensor = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))
        return result


class RRDBNetArchitecture(Architecture):
    name = "rrdbnet"
    title = "RRDBNet (ESRGAN, Real-ESRGAN)"
    family = "gan"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return any(
            key in state
            for key in (
                "body.0.rdb1.conv1.weight",
                "RRDB_trunk.0.RDB1.conv1.weight",
                "model.1.sub.0.RDB1.conv1.0.weight",
            )
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        state = _renamed(checkpoint.state)
        first, dense = shape(state, "conv_first.weight"), shape(state, "body.0.rdb1.conv1.weight")
        last = shape(state, "conv_last.weight")
        blocks = len(numbers(state, r"body\.(\d+)\.rdb1\."))
        if len(first) != 4 or len(dense) != 4 or len(last) != 4 or blocks > _MOST_BLOCKS:
            raise Rejected(
                "keys_mismatch",
                "The weights are not those of an RRDBNet: conv_first.weight, body.0.rdb1.conv1.weight and "
                "conv_last.weight are expected, or the older names of the same.",
            )
        doublings = len(numbers(state, r"conv_up(\d+)\.weight"))
        unshuffle = _unshuffle(first[1], last[0])
        upscale = _upscale(doublings, unshuffle)
        channels = first[1] // unshuffle**2
        with torch.device("meta"):
            network = RRDBNet(channels, last[0], first[0], dense[0], blocks, doublings, unshuffle)
        return Built(
            module=strictly_loaded(network, state, self.title),
            example=torch.zeros(1, channels, 64, 64),
            meta=_meta(channels, upscale, unshuffle, blocks),
            dynamic=image_axes(),
        )


def _unshuffle(taken: int, made: int) -> int:
    """Side of the squares of pixels that the first convolution gets as channels."""
    side = math.isqrt(taken // made) if made else 0
    if made not in (1, 3) or side not in (1, 2, 4) or side**2 * made != taken:
        raise Rejected(
            "channels",
            f"The network takes {taken} channels and makes {made}; only grey and RGB images work, "
            "with a pixel unshuffle of 1, 2 or 4.",
        )
    return side


def _upscale(doublings: int, unshuffle: int) -> int:
    if 2**doublings < unshuffle or doublings > 3:
        raise Rejected("scale", "The network would make images smaller, or more than eight times larger.")
    return 2**doublings // unshuffle


def _meta(channels: int, upscale: int, multiple: int, blocks: int) -> WeightsMeta:
    taken = channel_count(channels, "takes")
    return WeightsMeta(
        family="gan",
        task="super_resolution" if upscale > 1 else "image_to_image",
        input=InputMeta(
            channels=taken,
            color="gray" if taken == 1 else "rgb",
            resize="native",
            multiple=multiple,
            mean=(0.0,) * taken,
            std=(1.0,) * taken,
        ),
        output="image",
        upscale=upscale,
        architecture=f"rrdbnet_{blocks}_x{upscale}",
        source="state dict",
    )


def _renamed(state: _State) -> dict[str, torch.Tensor]:
    """The state with its layers called as here. Unknown names stay, for the refusal to tell them."""
    if "model.1.sub.0.RDB1.conv1.0.weight" in state:
        names = _numbered_names(state)
    else:
        names = [
            (r"RRDB_trunk\.", "body."),
            (r"trunk_conv\.", "conv_body."),
            (r"upconv(\d)\.", r"conv_up\1."),
            (r"HRconv\.", "conv_hr."),
        ]
    return {_first_rule(key, names): value for key, value in state.items()}


def _first_rule(key: str, rules: Sequence[tuple[str, str]]) -> str:
    for pattern, name in rules:
        if re.match(pattern, key):
            key = re.sub(pattern, name, key, count=1)
            break
    return re.sub(r"\.RDB(\d)\.(conv\d)(?:\.0)?\.", r".rdb\1.\2.", key)


def _numbered_names(state: _State) -> list[tuple[str, str]]:
    """The oldest names count the layers of one sequence: 0 the first convolution, 1 the blocks and, as the
    last of them, their convolution; then three a doubling (repeat, convolve, activate), and the last two
    convolutions with an activation between them."""
    last = max(numbers(state, r"model\.(\d+)\.weight"), default=0)
    doublings = max(0, (last - 4) // 3)
    trunk = max(numbers(state, r"model\.1\.sub\.(\d+)\."), default=0)
    return [
        (r"model\.0\.", "conv_first."),
        (rf"model\.1\.sub\.{trunk}\.(?=weight|bias)", "conv_body."),
        (r"model\.1\.sub\.", "body."),
        *((rf"model\.{3 * number}\.", f"conv_up{number}.") for number in range(1, doublings + 1)),
        (rf"model\.{last - 2}\.", "conv_hr."),
        (rf"model\.{last}\.", "conv_last."),
    ]
