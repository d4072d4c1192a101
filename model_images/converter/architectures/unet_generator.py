"""The U-Net generator of pix2pix (Isola et al. 2017): U-Net 256 and 128.

Convolutions with stride 2 halve the image down to a point, transposed ones double it again, and each size is
handed over to its counterpart. In checkpoints the levels lie inside each other, outermost first:
`model.model.1.model.3.model…`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._images import norm, tanh_meta
from model_images.converter.architectures._loading import image_axes, shape, strictly_loaded

_DEEPEST = 8  # 256 pixels to one


class _Level(nn.Module):
    """One halving and doubling around the level `inside` (None at the bottom).

    Every level but the outermost hands on what it got, together with what it made.
    """

    def __init__(self, layers: Sequence[nn.Module], outermost: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.outermost = outermost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.model(x)
        return made if self.outermost else torch.cat([x, made], 1)


def _level(
    outer: int, inner: int, inside: _Level | None, *, batch_norm: bool, given: int | None = None
) -> _Level:
    """From `given` channels (or `outer`) down to `inner` and up to `outer`."""
    down = nn.Conv2d(given or outer, inner, 4, 2, 1, bias=not batch_norm)
    from_inside = 2 * inner if inside else inner
    if given:  # the outermost: no norm at either end, and its image needs a bias
        up = nn.ConvTranspose2d(from_inside, outer, 4, 2, 1)
        return _Level([down, *([inside] if inside else []), nn.ReLU(), up, nn.Tanh()], outermost=True)
    up = nn.ConvTranspose2d(from_inside, outer, 4, 2, 1, bias=not batch_norm)
    below: list[nn.Module] = [norm(inner, batch_norm), inside] if inside else []
    layers = [nn.LeakyReLU(0.2), down, *below, nn.ReLU(), up, norm(outer, batch_norm)]
    return _Level(layers, outermost=False)


class UnetGenerator(nn.Module):
    """`(N, channels, h, w)` in -1..1 to `(N, out_channels, h, w)`; h and w multiples of 2**len(widths).

    `widths`: channels after each halving, outermost first, e.g. 64, 128, 256, 512, 512, 512, 512, 512.
    """

    def __init__(self, channels: int, out_channels: int, widths: Sequence[int], *, batch_norm: bool) -> None:
        super().__init__()
        level: _Level | None = None
        for outer, inner in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True):
            level = _level(outer, inner, level, batch_norm=batch_norm)
        self.model = _level(out_channels, widths[0], level, batch_norm=batch_norm, given=channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.model(images)
        return result


class UnetGeneratorArchitecture(Architecture):
    name = "unet_generator"
    title = "U-Net generator (pix2pix)"
    family = "gan"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "model.model.0.weight")[2:] == (4, 4)
            and shape(state, "model.model.3.weight")[2:] == (4, 4)
            and "model.model.1.model.1.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        state = checkpoint.state
        widths = _widths(state)
        if not 2 <= len(widths) <= _DEEPEST:
            raise Rejected(
                "keys_mismatch",
                "The weights are not those of a U-Net generator: levels called model.model.0.weight, "
                f"model.model.1.model.1.weight and so on are expected, 2 to {_DEEPEST} of them.",
            )
        channels = shape(state, "model.model.0.weight")[1]
        last = shape(state, "model.model.3.weight")
        out_channels = last[1] if len(last) == 4 else 0
        size = 2 ** len(widths)
        meta = tanh_meta(f"{self.name}_{size}", channels, out_channels, multiple=size)
        batch_norm = "model.model.1.model.2.weight" in state
        with torch.device("meta"):
            network = UnetGenerator(channels, out_channels, widths, batch_norm=batch_norm)
        statistics = None if batch_norm else r".*\.(running_mean|running_var|num_batches_tracked)$"
        return Built(
            module=strictly_loaded(network, state, self.title, dropped=statistics),
            example=torch.zeros(1, channels, size, size),
            meta=meta,
            dynamic=image_axes(),
        )


def _widths(state: Mapping[str, torch.Tensor]) -> list[int]:
    first = shape(state, "model.model.0.weight")
    if len(first) != 4:
        return []
    widths, prefix = [first[0]], "model.model.1."
    while len(widths) <= _DEEPEST and len(down := shape(state, f"{prefix}model.1.weight")) == 4:
        widths.append(down[0])
        prefix += "model.3."
    return widths
