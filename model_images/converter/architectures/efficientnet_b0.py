"""EfficientNet-B0 (Tan and Le 2019) with torchvision's layer names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from model_images.converter.architecture import Architecture, Built, Checkpoint
from model_images.converter.architectures._classifiers import built, convolved, cropped
from model_images.converter.architectures._loading import shape

# how much wider inside, side of the depthwise kernel, stride of the first, channels made, blocks (table 1)
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_FEATURES = 1280


class SqueezeExcitation(nn.Module):
    """Each channel times a factor 0..1 made from the means of all (Hu et al. 2017)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean((2, 3), keepdim=True)
        result: torch.Tensor = x * torch.sigmoid(self.fc2(self.activation(self.fc1(means))))
        return result


class MBConv(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, given: int, made: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = given * wider
        layers: list[nn.Module] = []
        if wider != 1:
            layers.append(convolved(given, inside, 1, 1, 1, nn.SiLU))
        layers += [
            convolved(inside, inside, kernel, stride, inside, nn.SiLU),
            SqueezeExcitation(inside, max(1, given // 4)),
            convolved(inside, made, 1, 1, 1, nn.Identity),
        ]
        self.block = nn.Sequential(*layers)
        self.added = stride == 1 and given == made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.block(x) if self.added else self.block(x)
        return result


class EfficientNetB0(nn.Module):
    """`(N, 3, h, w)` to logits `(N, classes)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolved(3, 32, 3, 2, 1, nn.SiLU)]
        given = 32
        for wider, kernel, stride, made, count in _STAGES:
            blocks = []
            for index in range(count):
                blocks.append(MBConv(given, made, kernel, 1 if index else stride, wider))
                given = made
            layers.append(nn.Sequential(*blocks))
        layers.append(convolved(given, _FEATURES, 1, 1, 1, nn.SiLU))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_FEATURES, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.classifier(self.features(images).mean((2, 3)))
        return result


class EfficientNetB0Architecture(Architecture):
    name = "efficientnet_b0"
    title = "EfficientNet-B0"
    family = "classifier"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        return (
            shape(state, "features.0.0.weight") == (32, 3, 3, 3)
            and "features.1.0.block.0.0.weight" in state
            and "classifier.1.weight" in state
        )

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        return built(
            EfficientNetB0,
            checkpoint,
            labels,
            last_layer="classifier.1",
            name=self.name,
            title=self.title,
            meta=cropped(224, 256),
        )
