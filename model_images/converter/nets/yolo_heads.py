"""The last layer of YOLOv5 networks: from feature maps to boxes in pixels of the input.

Both heads give their raw maps while training and decoded boxes otherwise. The grid of cell positions is
made for one input size (`fix_size`), so that the exported graph holds it as a constant; the batch stays free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from model_images.converter.nets.yolo_layers import Conv

BINS = 16  # of the distance from a cell to one side of its box, in `DflHead`


def cell_grid(height: int, width: int) -> torch.Tensor:
    """`(height, width, 2)` float32: x and y of each cell's corner, in cells."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((x, y), 2).float()


class AnchorHead(nn.Module):
    """Three (or so) anchors a cell; each predicts a box, objectness and a score per class, all by sigmoid.

    With s the sigmoid of the raw values: centre = (2 s - 0.5 + cell) · stride, size = (2 s)² · anchor,
    which keeps a centre within half a cell of its own and a side within 4 × its anchor.

    anchors  `(levels, anchors, 2)`: width and height in cells of each level (a buffer of the state dict)
    """

    strides: torch.Tensor

    def __init__(self, classes: int, anchors: torch.Tensor, channels: Sequence[int]) -> None:
        super().__init__()
        self.values = 5 + classes
        self.count = anchors.shape[1]
        self.register_buffer("anchors", anchors.clone().float())
        self.m = nn.ModuleList(nn.Conv2d(c, self.count * self.values, 1) for c in channels)
        self.levels: list[_Level] = []

    def fix_size(self, height: int, width: int, strides: Sequence[int]) -> None:
        """Prepare decoding of images `height` × `width`, which the strides divide."""
        self.levels = []
        for anchors, stride in zip(self.anchors, strides, strict=True):
            rows, columns = height // stride, width // stride
            offset = (cell_grid(rows, columns) - 0.5)[None, None]
            boxes = self.count * rows * columns
            self.levels.append(_Level(offset, anchors[None, :, None, None] * stride, stride, boxes))

    def raw(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """`(N, anchors, height, width, 5 + classes)` a level."""
        found = []
        for conv, x in zip(self.m, maps, strict=True):
            found.append(conv(x).unflatten(1, (self.count, self.values)).permute(0, 1, 3, 4, 2))
        return found

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        raw = self.raw(maps)
        return raw if self.training else self.decode(raw)

    def decode(self, raw: Sequence[torch.Tensor]) -> torch.Tensor:
        """`(N, boxes, 5 + classes)`: cx, cy, w, h in pixels, then scores in 0..1; level by level, anchor by
        anchor, row by row."""
        decoded = []
        for values, level in zip(raw, self.levels, strict=True):
            s = values.sigmoid()
            centre = (2 * s[..., 0:2] + level.offset) * level.stride
            size = (2 * s[..., 2:4]) ** 2 * level.anchors
            decoded.append(torch.cat((centre, size, s[..., 4:]), 4).reshape(-1, level.boxes, self.values))
        return torch.cat(decoded, 1)


@dataclass(frozen=True)
class _Level:
    """Constants of decoding one level; they broadcast to `(N, anchors, height, width, 2)`."""

    offset: torch.Tensor
    anchors: torch.Tensor
    stride: int
    boxes: int


class DflHead(nn.Module):
    """No anchors, and separate branches for box and class (YOLOv5u).

    A box is four distances from its cell's centre, each the mean of a softmax over BINS whole numbers of
    cells (distribution focal loss: Li et al. 2020, arXiv:2006.04388); classes are sigmoids, without
    objectness.
    """

    def __init__(self, classes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        box = max(16, channels[0] // 4, 4 * BINS)
        score = max(channels[0], min(classes, 100))
        self.cv2 = nn.ModuleList(self._branch(c, box, 4 * BINS) for c in channels)
        self.cv3 = nn.ModuleList(self._branch(c, score, classes) for c in channels)
        self.dfl = _Expectation()
        self.centres = torch.empty(0)
        self.scale = torch.empty(0)

    @staticmethod
    def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(Conv(inputs, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))

    def fix_size(self, height: int, width: int, strides: Sequence[int]) -> None:
        """Prepare decoding of images `height` × `width`, which the strides divide."""
        grids = [cell_grid(height // s, width // s).reshape(-1, 2) + 0.5 for s in strides]
        scale = [torch.full((1, len(grid)), float(s)) for grid, s in zip(grids, strides, strict=True)]
        self.centres = torch.cat(grids).T[None]  # (1, 2, boxes)
        self.scale = torch.cat(scale, 1)[None]  # (1, 1, boxes)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        raw = [
            torch.cat((box(x), score(x)), 1) for box, score, x in zip(self.cv2, self.cv3, maps, strict=True)
        ]
        return raw if self.training else self.decode(raw)

    def decode(self, raw: Sequence[torch.Tensor]) -> torch.Tensor:
        """`(N, 4 + classes, boxes)`: cx, cy, w, h in pixels, then scores in 0..1; level by level, row by
        row."""
        flat = torch.cat([x.flatten(2) for x in raw], 2)
        distances, scores = flat.split((4 * BINS, self.classes), 1)
        before, after = self.dfl(distances).chunk(2, 1)
        centre = self.centres + (after - before) / 2
        return torch.cat((centre * self.scale, (before + after) * self.scale, scores.sigmoid()), 1)


class _Expectation(nn.Module):
    """`(N, 4 · BINS, boxes)` to `(N, 4, boxes)`: the mean of each softmax. Its weights 0, 1, 2 … are
    stored with the checkpoint as those of a 1 × 1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(BINS, 1, 1, bias=False)
        self.conv.weight = nn.Parameter(torch.arange(float(BINS)).reshape(1, BINS, 1, 1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.unflatten(1, (4, BINS)).transpose(1, 2).softmax(1)
        return self.conv(x).squeeze(1)
