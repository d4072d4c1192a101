"""Trains the sample classifier of handwritten digits, and writes `samples/digits.onnx` and `.json`.

    python -m pip install scikit-learn
    python -m model_images.classifier.train_sample

Data: scikit-learn's 1797 real digits of 8×8 pixels (a part of the UCI set "Optical Recognition of
Handwritten Digits" by Alpaydin and Kaynak, CC BY 4.0). A quarter is held out and serves only to tell the
quality. Each step sees the digits as `_digit_photos` makes photos of them, so that a photo somebody takes of
a digit works too. A minute or two on one core; seeds are fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from model_images.classifier._digit_photos import SIDE, photos
from model_images.converter import shipping
from model_images.converter.architectures._loading import batch_axes
from model_images.runtime.metadata import InputMeta, WeightsMeta

SEED = 11
EPOCHS = 70
BATCH = 96
LEARNING_RATE = 4e-3
LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
Split = tuple[torch.Tensor, torch.Tensor]


class DigitClassifier(nn.Module):
    """`(N, 1, 32, 32)` in -1..1 to logits `(N, 10)`.

    Each photo is first brought to mean 0 and deviation 1, so that its light doesn't matter.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()

        def convolved(given: int, made: int) -> list[nn.Module]:
            return [nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]

        self.features = nn.Sequential(
            *convolved(1, width),
            *convolved(width, width),
            nn.MaxPool2d(2),
            *convolved(width, 2 * width),
            *convolved(2 * width, 2 * width),
            nn.MaxPool2d(2),
            *convolved(2 * width, 4 * width),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * width * 16, len(LABELS)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        centred = images - images.mean((2, 3), keepdim=True)
        deviation = (centred * centred).mean((2, 3), keepdim=True).sqrt()
        result: torch.Tensor = self.head(self.features(centred / (deviation + 0.02)))
        return result


def digits() -> tuple[Split, Split]:
    """For training and held out: `(N, 8, 8)` in 0..1, and which digit each is."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise SystemExit("scikit-learn is needed for its digits: pip install scikit-learn") from error
    loaded = load_digits()
    parts = train_test_split(
        loaded.images.astype(np.float32) / 16,
        loaded.target,
        test_size=0.25,
        random_state=0,
        stratify=loaded.target,
    )
    images, held_out, targets, held_out_targets = (torch.from_numpy(part) for part in parts)
    return (images, targets), (held_out, held_out_targets)


def train(known: Split, epochs: int, *, width: int = 16) -> tuple[nn.Module, list[float]]:
    """The classifier, and the mean loss of each epoch."""
    torch.manual_seed(SEED)
    chance = torch.Generator().manual_seed(SEED)
    network = DigitClassifier(width)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.02)
    images, targets = known
    steps = max(1, len(images) // BATCH)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * steps)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=chance)
        for part in order[: steps * BATCH].reshape(steps, -1):
            logits = network(photos(images[part], chance))
            loss = F.cross_entropy(logits, targets[part], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            total += loss.item()
        losses.append(total / steps)
        if epoch % 10 == 0:
            shipping.say(f"epoch {epoch}: loss {losses[-1]:.3f}")
    return network.eval(), losses


def accuracy(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    with torch.no_grad():
        return round(float((network(inputs).argmax(1) == targets).float().mean()), 4)


def plain(images: torch.Tensor) -> torch.Tensor:
    """Dark on white, enlarged to the input's size, as when the 8×8 picture itself is uploaded."""
    large = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for image in images.numpy()]
    return 1 - 2 * torch.from_numpy(np.stack(large))[:, None]


def quality(network: nn.Module, held_out: Split) -> dict[str, float]:
    """On digits never trained with: as they are, and as photos (mean of 10 of each)."""
    images, targets = held_out
    chance = torch.Generator().manual_seed(1)
    taken = [accuracy(network, photos(images, chance), targets) for _ in range(10)]
    return {
        "accuracy": accuracy(network, plain(images), targets),
        "accuracy on made photos": round(sum(taken) / len(taken), 4),
    }


def meta(measured: dict[str, float]) -> WeightsMeta:
    return WeightsMeta(
        family="classifier",
        task="classification",
        input=InputMeta(
            channels=1, color="gray", width=SIDE, height=SIDE, resize="letterbox", mean=(0.5,), std=(0.5,)
        ),
        output="logits",
        classes=LABELS,
        architecture="digit_classifier",
        source="trained by model_images/classifier/train_sample.py",
        license="Apache-2.0",
        quality=measured,
    )


CARD = shipping.Card(
    slug="digits",
    title="Handwritten digits",
    description=(
        "Reads one handwritten digit, 0 to 9: dark on light or light on dark, anywhere in the photo as long "
        "as it fills about half of it. Trained on real digits, as photos with other pens, paper and light."
    ),
    price=150,
    price_per_image=1,
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=shipping.SAMPLES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    known, held_out = digits()
    network, _ = train(known, options.epochs)
    measured = quality(network, held_out)
    shipping.say(str(measured))
    shipping.ship(network, torch.zeros(1, 1, SIDE, SIDE), batch_axes(), meta(measured), CARD, options.out)


if __name__ == "__main__":
    main()
