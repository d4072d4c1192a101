"""What the image-to-image architectures share."""

from __future__ import annotations

from typing import Literal, cast

from torch import nn

from model_images.converter.architecture import Rejected
from model_images.runtime.metadata import InputMeta, WeightsMeta


def norm(channels: int, batch: bool) -> nn.Module:
    """Batch norm, or instance norm without parameters or running statistics."""
    return nn.BatchNorm2d(channels) if batch else nn.InstanceNorm2d(channels)


def channel_count(channels: int, what: str) -> Literal[1, 3]:
    """Raises Rejected for anything but a grey or a colour image."""
    if channels not in (1, 3):
        raise Rejected(
            "channels", f"The network {what} images of {channels} channels; only 1 (grey) and 3 (RGB) work."
        )
    return cast("Literal[1, 3]", channels)


def tanh_meta(architecture: str, channels: int, out_channels: int, multiple: int) -> WeightsMeta:
    """For generators that take and give -1..1, at the photo's own size."""
    taken = channel_count(channels, "takes")
    channel_count(out_channels, "makes")
    return WeightsMeta(
        family="gan",
        task="image_to_image",
        input=InputMeta(
            channels=taken,
            color="gray" if taken == 1 else "rgb",
            resize="native",
            multiple=multiple,
            mean=(0.5,) * taken,
            std=(0.5,) * taken,
        ),
        output="image",
        low=-1.0,
        high=1.0,
        architecture=architecture,
        source="state dict",
    )
