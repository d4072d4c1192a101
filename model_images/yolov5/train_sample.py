"""Trains the sample weights `shapes`: a YOLOv5 detector of drawn shapes on photos.

    python -m model_images.yolov5.train_sample [--out model_images/samples]

Network, loss and pictures are our own; the photos are those of `marketplace/demo/photos` (see CREDITS.md
there). Every picture is drawn afresh from a seed, so there is no data set to keep. Some photos are never
trained on: quality is measured on those alone.
"""

from __future__ import annotations

import argparse
import copy
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from model_images.converter.architectures.yolov5 import AXES
from model_images.converter.nets.yolo import Network
from model_images.converter.nets.yolo_config import STANDARD, read
from model_images.converter.nets.yolo_heads import AnchorHead
from model_images.converter.shipping import SAMPLES, Card, ship
from model_images.converter.training import shapes
from model_images.converter.training.average_precision import mean_average_precision
from model_images.converter.training.yolo_loss import Gains, loss
from model_images.runtime.metadata import InputMeta, WeightsMeta

log = logging.getLogger(__name__)

SIDE = 160
BATCH = 32
SEED = 20_241
EVALUATED = 400
# Half the width of YOLOv5n: shapes need no more.
CONFIG = STANDARD | {"depth_multiple": 0.33, "width_multiple": 0.125}
ANCHORS = ((20, 24, 30), (36, 46, 58), (68, 82, 98))  # sides in pixels; the shapes are about as wide as high
STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Cycle:
    """Steps in which the learning rate goes up to `rate` and back to nothing."""

    steps: int
    rate: float
    letterboxed: bool  # within the grey bars that photos of other proportions than 1:1 are given


CYCLES = (Cycle(900, 4e-3, False), Cycle(700, 3e-3, True))
GAINS = Gains(box=0.05, objectness=0.3, classes=0.1)
CARD = Card(
    slug="shapes",
    title="Shape finder",
    description=(
        "Finds circles, squares, triangles, stars and hearts that are drawn on a photo, filled or outlined, "
        "at any angle. A small YOLOv5 network for pictures of 160 pixels, trained on shapes drawn over seven "
        "photos, and measured on three others."
    ),
    price=200,
    price_per_image=1,
)
CONFIDENCE, IOU = 0.01, 0.6  # for measuring: low, so that the whole precision-recall curve is seen


def network() -> Network:
    """Untrained, with the biases that make it expect few shapes."""
    anchors = torch.tensor(
        [[(side / stride,) * 2 for side in sides] for sides, stride in zip(ANCHORS, STRIDES, strict=True)]
    )
    classes = len(shapes.CLASSES)
    description = read(CONFIG, classes, anchors.shape[1] * (5 + classes))
    net = Network(description, lambda channels: AnchorHead(classes, anchors, channels))
    with torch.no_grad():
        for conv in net.head.m:
            bias = conv.bias.view(anchors.shape[1], -1)
            bias[:, 4] += -4.5  # one prediction in a hundred
            bias[:, 5:] += -np.log(classes - 1)
    net.head.strides = STRIDES
    return net


def batch(
    sources: Sequence[np.ndarray], seed: Sequence[int], count: int, **how: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images `(count, 3, SIDE, SIDE)` RGB in 0..1 and targets `(n, 6)`: image, class, box in pixels.
    `how`: as in `shapes.drawn`."""
    rng = np.random.default_rng(seed)
    images, targets = [], []
    for index in range(count):
        picture, found = shapes.drawn(rng, sources, SIDE, **how)
        images.append(picture.transpose(2, 0, 1))
        targets.append(np.insert(found, 0, index, axis=1))
    return (
        torch.from_numpy(np.stack(images)).float() / 255,
        torch.from_numpy(np.concatenate(targets).astype(np.float32)),
    )


def batches(
    sources: Sequence[np.ndarray], steps: range, size: int, letterboxed: bool
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The next is drawn while one is learnt from."""

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return batch(sources, (SEED, step), size, varied=True, letterboxed=letterboxed)

    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(draw, steps.start)
        for step in steps:
            ready = drawing.result()
            drawing = pool.submit(draw, step + 1)
            yield ready


def train(
    sources: Sequence[np.ndarray], cycles: Sequence[Cycle] = CYCLES, size: int = BATCH
) -> tuple[Network, list[float]]:
    """The running average of the network over its last steps, in eval mode, and the loss of each step."""
    torch.manual_seed(SEED)
    net, losses = network(), []
    for cycle in cycles:
        net = learn(net, sources, cycle, size, losses)
    return net, losses


def learn(
    net: Network, sources: Sequence[np.ndarray], cycle: Cycle, size: int, losses: list[float]
) -> Network:
    """One cycle on from `net`, which it changes; the average."""
    net.train().requires_grad_(True)
    averaged = copy.deepcopy(net).requires_grad_(False)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 5e-3}, {"params": others, "weight_decay": 0.0}], cycle.rate
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, cycle.rate, total_steps=cycle.steps, pct_start=0.1
    )
    steps = range(len(losses), len(losses) + cycle.steps)
    for step, (images, targets) in enumerate(batches(sources, steps, size, cycle.letterboxed)):
        value = loss(net(images), targets, net.head, STRIDES, GAINS)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        _average(averaged, net, min(0.995, (1 + step) / (10 + step)))
        losses.append(value.item())
        if len(losses) % 50 == 0:
            log.info("step %d: loss %.4f", len(losses), float(np.mean(losses[-50:])))
    return averaged.eval()


def _average(averaged: Network, net: Network, decay: float) -> None:
    current = net.state_dict()
    for name, tensor in averaged.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(current[name], 1 - decay)
        else:
            tensor.copy_(current[name])


def detections(output: np.ndarray) -> np.ndarray:
    """One picture's `(boxes, 5 + classes)` to `(n, 6)`: left, top, right, bottom, confidence, class."""
    scores = output[:, 5:] * output[:, 4:5]
    rows, kinds = np.nonzero(scores > CONFIDENCE)
    confidence = scores[rows, kinds]
    corner = output[rows, :2] - output[rows, 2:4] / 2
    boxes = np.concatenate((corner, output[rows, 2:4]), 1)
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), confidence.tolist(), kinds.tolist(), CONFIDENCE, IOU)
    kept = np.asarray(kept, int).reshape(-1)
    far = corner[kept] + boxes[kept, 2:]
    return np.column_stack((corner[kept], far, confidence[kept], kinds[kept]))


def evaluate(net: Network, sources: Sequence[np.ndarray], count: int = EVALUATED) -> dict[str, float]:
    """mAP on `count` pictures that training never drew."""
    found, truth = [], []
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        images, targets = batch(sources, (SEED, 10**6 + start), size)
        with torch.no_grad():
            output = net(images).numpy()
        found += [detections(o) for o in output]
        for index in range(size):
            t = targets[targets[:, 0] == index].numpy()
            low, high = t[:, 2:4] - t[:, 4:6] / 2, t[:, 2:4] + t[:, 4:6] / 2
            truth.append(np.column_stack((low, high, t[:, 1])))
    scores = mean_average_precision(found, truth, len(shapes.CLASSES))
    return {
        "mAP50": round(scores[0.5], 4),
        "mAP50-95": round(float(np.mean(list(scores.values()))), 4),
        "images": float(count),
    }


def meta(quality: dict[str, float]) -> WeightsMeta:
    return WeightsMeta(
        family="yolov5",
        task="detection",
        input=InputMeta(multiple=STRIDES[-1], resize="letterbox", resize_to=SIDE),
        output="yolov5",
        classes=shapes.CLASSES,
        stride=STRIDES[-1],
        architecture="yolov5",
        source="Trained by model_images/yolov5/train_sample.py",
        license="Apache-2.0",
        quality=quality,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=SAMPLES, help="folder for shapes.onnx and shapes.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    learnt, held_out = shapes.demo_photos()
    net, _ = train(learnt)
    log.info("on photos trained on: %s", evaluate(net, learnt))
    quality = evaluate(net, held_out)
    log.info("on held-out photos: %s", quality)
    path = ship(net, torch.zeros(1, 3, SIDE, SIDE), AXES, meta(quality), CARD, options.out)
    log.info("%s: %d bytes", path, path.stat().st_size)


if __name__ == "__main__":
    main()
