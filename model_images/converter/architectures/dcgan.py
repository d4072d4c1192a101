"""The generator of DCGAN (Radford et al. 2015), with the layer names of PyTorch's example: noise to an image.

Transposed convolutions make the noise a 4×4 image of many channels, then double its sides and (as a rule)
halve its channels until the image is there: `main.0.weight`, `main.1` its batch norm, `main.3`, …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._images import channel_count
from model_images.converter.architectures._loading import numbers, shape, strictly_loaded
from model_images.runtime.metadata import InputMeta, WeightsMeta

_MOST_LAYERS = 9  # 4 pixels to 1024
_LARGEST_LATENT = 4096


class DcganGenerator(nn.Module):
    """`(N, latent, 1, 1)` noise to `(N, widths[-1], side, side)` in -1..1, side = 2**(len(widths) + 1)."""

    def __init__(self, latent: int, widths: Sequence[int], *, bias: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        given = latent
        for number, made in enumerate(widths):
            stride, padding = (2, 1) if number else (1, 0)
            layers.append(nn.ConvTranspose2d(given, made, 4, stride, padding, bias=bias))
            if number < len(widths) - 1:
                layers += [nn.BatchNorm2d(made), nn.ReLU()]
            given = made
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.main(noise)
        return result


class DcganArchitecture(Architecture):
    name = "dcgan"
    title = "DCGAN generator"
    family = "gan"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "main.0.weight")[2:] == (4, 4)
            and len(shape(state, "main.1.running_mean")) == 1
            and shape(state, "main.0.weight")[1:2] == shape(state, "main.1.running_mean")
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        state = checkpoint.state
        latent, widths = _sizes(state)
        channels = channel_count(widths[-1], "makes")
        with torch.device("meta"):
            network = DcganGenerator(latent, widths, bias="main.0.bias" in state)
        side = 4 * 2 ** (len(widths) - 1)
        return Built(
            module=strictly_loaded(network, state, self.title),
            example=torch.zeros(1, latent, 1, 1),
            meta=WeightsMeta(
                family="gan",
                task="noise_to_image",
                input=InputMeta(channels=channels, color="gray" if channels == 1 else "rgb", latent=latent),
                output="image",
                low=-1.0,
                high=1.0,
                architecture=f"dcgan_{side}",
                source="state dict",
            ),
            dynamic={"noise": {0: "batch"}, "output": {0: "batch"}},
        )


def _sizes(state: Mapping[str, torch.Tensor]) -> tuple[int, list[int]]:
    """Latent size, and the channels that each transposed convolution makes."""
    layers = [number for number in numbers(state, r"main\.(\d+)\.weight") if number % 3 == 0]
    shapes = [shape(state, f"main.{number}.weight") for number in layers]
    fits = 2 <= len(shapes) <= _MOST_LAYERS and all(len(one) == 4 for one in shapes)
    if not fits or not 1 <= shapes[0][0] <= _LARGEST_LATENT:
        raise Rejected(
            "keys_mismatch",
            "The weights are not those of a DCGAN generator: transposed convolutions called main.0.weight, "
            f"main.3.weight and so on are expected, 2 to {_MOST_LAYERS} of them.",
        )
    return shapes[0][0], [one[1] for one in shapes]
