"""What the classifier architectures share: from a network and a state dict to what is exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from model_images.converter.architecture import Built, Checkpoint, Rejected
from model_images.converter.architectures._loading import (
    batch_axes,
    checked_labels,
    shape,
    strictly_loaded,
)
from model_images.runtime.metadata import InputMeta, WeightsMeta

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_MOST_CLASSES = 100_000


def class_count(checkpoint: Checkpoint, last_layer: str, title: str) -> int:
    """From the weights of the last layer, `(classes, features)`. Raises Rejected where there are none."""
    weights = shape(checkpoint.state, f"{last_layer}.weight")
    if len(weights) != 2 or not 2 <= weights[0] <= _MOST_CLASSES:
        raise Rejected(
            "keys_mismatch",
            f"The weights are not those of a {title}: {last_layer}.weight, the layer that tells the classes, "
            "is missing or has another shape.",
        )
    return weights[0]


def built(
    network: Callable[[int], nn.Module],
    checkpoint: Checkpoint,
    labels: Sequence[str] | None,
    *,
    last_layer: str,
    name: str,
    title: str,
    meta: InputMeta,
    dropped: str | None = None,
) -> Built:
    """`network` of as many classes as the last layer tells apart, strictly loaded, and described. Raises
    Rejected."""
    classes = class_count(checkpoint, last_layer, title)
    with torch.device("meta"):
        made = network(classes)
    named = checked_labels(labels, classes)
    module = strictly_loaded(made, checkpoint.state, title, dropped=dropped)
    return Built(
        module=module,
        example=torch.zeros(1, 3, meta.height or 224, meta.width or 224),
        meta=WeightsMeta(
            family="classifier",
            task="classification",
            input=meta,
            output="logits",
            classes=named,
            architecture=name,
            source="state dict",
        ),
        dynamic=batch_axes(),
    )


def cropped(size: int, resize_to: int) -> InputMeta:
    """As torchvision prepares photos for ImageNet: shorter side to `resize_to`, then the centre."""
    return InputMeta(
        width=size, height=size, resize="crop", resize_to=resize_to, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )


def convolved(
    channels: int, out_channels: int, kernel: int, stride: int, groups: int, activation: type[nn.Module]
) -> nn.Sequential:
    """Convolution, batch norm, activation; the size is kept but for the stride."""
    convolution = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), activation())
