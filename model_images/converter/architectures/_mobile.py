"""What the networks made for phones share, with torchvision's layer names: features, their mean, a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint
from model_images.converter.architectures._classifiers import built, convolved, cropped
from model_images.converter.architectures._loading import shape

FIRST, LAST = 32, 1280  # channels of the first and the last convolution


class MobileNetwork(nn.Module):
    """`(N, 3, h, w)` to logits `(N, classes)`. `blocks` take FIRST channels and make `given`."""

    def __init__(
        self, blocks: Iterable[nn.Module], given: int, activation: type[nn.Module], classes: int
    ) -> None:
        super().__init__()
        first = convolved(3, FIRST, 3, 2, 1, activation)
        self.features = nn.Sequential(first, *blocks, convolved(given, LAST, 1, 1, 1, activation))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.classifier(self.features(images).mean((2, 3)))
        return result


class MobileArchitecture(Architecture):
    """`network` makes one of so many classes; `mark` is a name that only its state dicts have."""

    family = "classifier"
    network: ClassVar[type[nn.Module]]
    mark: ClassVar[str]

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "features.0.0.weight") == (FIRST, 3, 3, 3)
            and self.mark in state
            and "classifier.1.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        return built(
            self.network,
            checkpoint,
            labels,
            last_layer="classifier.1",
            name=self.name,
            title=self.title,
            meta=cropped(224, 256),
        )
