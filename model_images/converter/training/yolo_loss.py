"""The loss of YOLOv5's anchor head, from its published description.

A shape is learnt by every anchor that differs from it by less than ANCHOR_RATIO on both sides, in the cell
that
holds its centre and in the two neighbours nearest to the centre. Three parts: 1 - CIoU of the boxes (Zheng
et al.
2020, arXiv:1911.08287), binary cross-entropy of objectness, whose goal is that CIoU, and of the classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from model_images.converter.nets.yolo_heads import AnchorHead

ANCHOR_RATIO = 4.0
BALANCE = (
    4.0,
    1.0,
    0.4,
)  # of objectness from the finest level to the coarsest: fine levels have more empty cells
EPSILON = 1e-7


@dataclass(frozen=True)
class Gains:
    box: float = 0.05
    objectness: float = 1.0
    classes: float = 0.5


def ciou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`(n,)`: complete IoU of boxes `(n, 4)` as centre x, y, width, height: IoU less the squared distance
    of the centres (over the enclosing box's diagonal) less the difference in aspect."""
    a_low, a_high = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b_low, b_high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    shared = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(0).prod(1)
    iou = shared / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared + EPSILON)
    enclosing = torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)
    distance = ((a[:, :2] - b[:, :2]) ** 2).sum(1) / ((enclosing**2).sum(1) + EPSILON)
    angles = torch.atan(b[:, 2] / (b[:, 3] + EPSILON)) - torch.atan(a[:, 2] / (a[:, 3] + EPSILON))
    aspect = 4 / math.pi**2 * angles**2
    with torch.no_grad():
        weight = aspect / (1 - iou + aspect + EPSILON)
    return iou - distance - weight * aspect


@dataclass(frozen=True)
class Assigned:
    """What one level has to learn: `n` predictions by index, and their goals in cells."""

    image: torch.Tensor
    anchor: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    box: torch.Tensor  # (n, 4): centre relative to the cell, size
    classes: torch.Tensor


def assign(targets: torch.Tensor, anchors: torch.Tensor, height: int, width: int) -> Assigned:
    """targets  `(n, 6)`: image, class, then centre x, y, width, height in cells of this level
    anchors  `(a, 2)` in cells"""
    count = len(anchors)
    every = targets.repeat(count, 1)
    anchor = torch.arange(count).repeat_interleave(len(targets))
    ratio = every[:, 4:6] / anchors[anchor]
    fits = torch.maximum(ratio, 1 / ratio).amax(1) < ANCHOR_RATIO
    every, anchor = every[fits], anchor[fits]

    centre = every[:, 2:4]
    limit = torch.tensor([width, height])
    steps = [torch.zeros_like(centre)]
    used = [torch.ones(len(centre), dtype=torch.bool)]
    for axis in (0, 1):
        part, step = centre[:, axis] % 1, torch.zeros(2)
        step[axis] = 1.0
        used.append((part < 0.5) & (centre[:, axis] > 1))
        steps.append((-step).expand_as(centre))
        used.append((part > 0.5) & (centre[:, axis] < limit[axis] - 1))
        steps.append(step.expand_as(centre))
    chosen = torch.cat(used)
    every, anchor = every.repeat(5, 1)[chosen], anchor.repeat(5)[chosen]
    cell = (every[:, 2:4] + torch.cat(steps)[chosen]).floor().long()
    cell = torch.minimum(cell.clamp(min=0), limit - 1)
    box = torch.cat((every[:, 2:4] - cell, every[:, 4:6]), 1)
    return Assigned(every[:, 0].long(), anchor, cell[:, 1], cell[:, 0], box, every[:, 1].long())


def loss(
    raw: Sequence[torch.Tensor], targets: torch.Tensor, head: AnchorHead, strides: Sequence[int], gains: Gains
) -> torch.Tensor:
    """Mean over the batch.

    raw      `AnchorHead.raw`'s answer
    targets  `(n, 6)`: image, class, then centre x, y, width, height in pixels of the input
    """
    box_loss = raw[0].new_zeros(())
    object_loss = raw[0].new_zeros(())
    class_loss = raw[0].new_zeros(())
    for level, (values, stride) in enumerate(zip(raw, strides, strict=True)):
        scaled = torch.cat((targets[:, :2], targets[:, 2:] / stride), 1)
        goal = torch.zeros_like(values[..., 4])
        at = assign(scaled, head.anchors[level], values.shape[2], values.shape[3])
        if len(at.image):
            picked = values[at.image, at.anchor, at.row, at.column]
            s = picked[:, :4].sigmoid()
            box = torch.cat((2 * s[:, :2] - 0.5, (2 * s[:, 2:]) ** 2 * head.anchors[level][at.anchor]), 1)
            quality = ciou(box, at.box)
            box_loss = box_loss + (1 - quality).mean()
            goal[at.image, at.anchor, at.row, at.column] = quality.detach().clamp(0)
            wanted = functional.one_hot(at.classes, values.shape[4] - 5).float()
            class_loss = class_loss + functional.binary_cross_entropy_with_logits(picked[:, 5:], wanted)
        object_loss = object_loss + BALANCE[level] * functional.binary_cross_entropy_with_logits(
            values[..., 4], goal
        )
    return gains.box * box_loss + gains.objectness * object_loss + gains.classes * class_loss
