"""The last layer of YOLOv5 networks: from feature maps to boxes in pixels of the input.

Both heads give their raw maps while training and decoded boxes otherwise. The grid of cell positions is made
from the shapes of the maps, in the exported graph too: batch, height and width of the input stay free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from model_images.converter.nets.yolo_layers import Conv

BINS = 16  # of the distance from a cell to one side of its box, in `DflHead`


def cell_grid(height: int | torch.Tensor, width: int | torch.Tensor) -> torch.Tensor:
    """`(height, width, 2)` float32: x and y of each cell's corner, in cells. While a graph is traced, the
    sizes are its tensors."""
    y, x = torch.meshgrid(*(torch.arange(side).float() for side in (height, width)), indexing="ij")
    return torch.stack((x, y), 2)


class AnchorHead(nn.Module):
    """Three (or so) anchors a cell; each predicts a box, objectness and a score per class, all by sigmoid.

    With s the sigmoid of the raw values: centre = (2 s - 0.5 + cell) · stride, size = (2 s)² · anchor,
    which keeps a centre within half a cell of its own and a side within 4 × its anchor.

    anchors  `(levels, anchors, 2)`: width and height in cells of each level (a buffer of the state dict)
    """

    anchors: torch.Tensor

    def __init__(self, classes: int, anchors: torch.Tensor, channels: Sequence[int]) -> None:
        super().__init__()
        self.values = 5 + classes
        self.count = anchors.shape[1]
        self.register_buffer("anchors", anchors.clone().float())
        self.m = nn.ModuleList(nn.Conv2d(c, self.count * self.values, 1) for c in channels)
        self.strides: tuple[int, ...] = ()  # of the levels in pixels; set before decoding

    def raw(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """`(N, anchors, height, width, 5 + classes)` a level."""
        found = []
        for conv, x in zip(self.m, maps, strict=True):
            batch, _, height, width = x.shape
            grouped = conv(x).reshape(batch, self.count, self.values, height, width)
            found.append(grouped.permute(0, 1, 3, 4, 2))
        return found

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        raw = self.raw(maps)
        return raw if self.training else self.decode(raw)

    def decode(self, raw: Sequence[torch.Tensor]) -> torch.Tensor:
        """`(N, boxes, 5 + classes)`: cx, cy, w, h in pixels, then scores in 0..1; level by level, anchor by
        anchor, row by row."""
        decoded = []
        for values, anchors, stride in zip(raw, self.anchors, self.strides, strict=True):
            s = values.sigmoid()
            offset = cell_grid(values.shape[2], values.shape[3]) - 0.5
            centre = (2 * s[..., 0:2] + offset) * stride
            size = (2 * s[..., 2:4]) ** 2 * (anchors * stride)[:, None, None]
            decoded.append(torch.cat((centre, size, s[..., 4:]), 4).flatten(1, 3))
        return torch.cat(decoded, 1)


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
        self.strides: tuple[int, ...] = ()  # of the levels in pixels; set before decoding

    @staticmethod
    def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(Conv(inputs, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        raw = [(box(x), score(x)) for box, score, x in zip(self.cv2, self.cv3, maps, strict=True)]
        return [torch.cat(pair, 1) for pair in raw] if self.training else self.decode(raw)

    def decode(self, raw: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        """`(N, 4 + classes, boxes)`: cx, cy, w, h in pixels, then scores in 0..1; level by level, row by
        row. A level is `(N, 4 · BINS, height, width)` and `(N, classes, height, width)`."""
        grids = [cell_grid(x.shape[2], x.shape[3]).flatten(0, 1).T + 0.5 for x, _ in raw]
        scales = [grid[:1] * 0 + stride for grid, stride in zip(grids, self.strides, strict=True)]
        centres, scale = torch.cat(grids, 1), torch.cat(scales, 1)  # (2, boxes), (1, boxes)
        # Sigmoids next to their convolutions, which ONNX Runtime then makes one step of.
        scores = torch.cat([x.sigmoid().flatten(2) for _, x in raw], 2)
        before, after = self.dfl(torch.cat([x.flatten(2) for x, _ in raw], 2)).chunk(2, 1)
        centre = centres + (after - before) / 2
        return torch.cat((centre * scale, (before + after) * scale, scores), 1)


class _Expectation(nn.Module):
    """`(N, 4 · BINS, boxes)` to `(N, 4, boxes)`: the mean of each softmax. Its weights 0, 1, 2 … are
    stored with the checkpoint as those of a 1 × 1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(BINS, 1, 1, bias=False)
        self.conv.weight = nn.Parameter(torch.arange(float(BINS)).reshape(1, BINS, 1, 1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted sum over plain sum, both by one product of matrices: in ONNX Runtime a sixteenth of the
        time of a softmax along an axis that isn't the last."""
        batch, _, boxes = x.shape
        bins = x.reshape(batch, 4, BINS, boxes)
        powers = (bins - bins.amax(2, keepdim=True)).exp()
        means = self.conv.weight.reshape(1, BINS)
        sums = torch.matmul(torch.cat((means, torch.ones_like(means))), powers)
        return sums[:, :, 0] / sums[:, :, 1]
