"""MobileNetV2 (Sandler et al. 2018) with torchvision's layer names, width 1.0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint
from model_images.converter.architectures._classifiers import built, convolved, cropped
from model_images.converter.architectures._loading import shape

# how much wider inside, channels made, blocks, stride of the first (table 2 of the paper)
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_FEATURES = 1280


class InvertedResidual(nn.Module):
    """Wider, depthwise 3×3, narrower again; added to what came in where the shape is the same."""

    def __init__(self, given: int, made: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = given * wider
        layers: list[nn.Module] = []
        if wider != 1:
            layers.append(convolved(given, inside, 1, 1, 1, nn.ReLU6))
        layers += [
            convolved(inside, inside, 3, stride, inside, nn.ReLU6),
            nn.Conv2d(inside, made, 1, bias=False),
            nn.BatchNorm2d(made),
        ]
        self.conv = nn.Sequential(*layers)
        self.added = stride == 1 and given == made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.conv(x) if self.added else self.conv(x)
        return result


class MobileNetV2(nn.Module):
    """`(N, 3, h, w)` to logits `(N, classes)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolved(3, 32, 3, 2, 1, nn.ReLU6)]
        given = 32
        for wider, made, count, stride in _STAGES:
            for index in range(count):
                layers.append(InvertedResidual(given, made, 1 if index else stride, wider))
                given = made
        layers.append(convolved(given, _FEATURES, 1, 1, 1, nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_FEATURES, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.classifier(self.features(images).mean((2, 3)))
        return result


class MobileNetV2Architecture(Architecture):
    name = "mobilenet_v2"
    title = "MobileNetV2"
    family = "classifier"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "features.0.0.weight") == (32, 3, 3, 3)
            and "features.1.conv.0.0.weight" in state
            and "classifier.1.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        return built(
            MobileNetV2,
            checkpoint,
            labels,
            last_layer="classifier.1",
            name=self.name,
            title=self.title,
            meta=cropped(224, 256),
        )
