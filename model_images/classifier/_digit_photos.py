"""Photos of handwritten digits, made of 8×8 pictures of real ones: other sizes, places, slants, pens, paper
and light. Half of them are light on dark.

Everything happens on batches: `(N, 8, 8)` in 0..1, 1 being ink, to `(N, 1, SIDE, SIDE)` in -1..1.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

SIDE = 32
_PAD = 114 / 127.5 - 1  # what the classifier's letterbox puts beside a photo that isn't square


def photos(digits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    ink = _placed(digits, generator)
    ink = _penned(ink, generator)
    return _lit(ink, generator)


def _between(low: float, high: float, count: int, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _placed(digits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Larger or smaller, narrower, turned, slanted, moved as far as it stays inside."""
    count = len(digits)
    height = _between(0.42, 1.0, count, generator)
    width = height * _between(0.65, 1.0, count, generator)
    turn, slant = _between(-0.22, 0.22, count, generator), _between(-0.2, 0.2, count, generator)
    zero = torch.zeros(count)
    across = torch.stack([torch.cos(turn), -torch.sin(turn) + slant, zero], 1) / width[:, None]
    down = torch.stack([torch.sin(turn), torch.cos(turn), zero], 1) / height[:, None]
    moves = torch.stack([across, down], 1)
    moves[:, 0, 2] = _between(-1, 1, count, generator) * (1 - width) / width
    moves[:, 1, 2] = _between(-1, 1, count, generator) * (1 - height) / height
    large = F.interpolate(digits[:, None], scale_factor=4.0, mode="bicubic", align_corners=False)
    grid = F.affine_grid(moves, [count, 1, SIDE, SIDE], align_corners=False)
    return F.grid_sample(large, grid, mode="bilinear", align_corners=False).clamp(0, 1)


def _penned(ink: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """From soft pencil to a felt pen with hard edges, thin or thick."""
    count = len(ink)
    hard = _between(3, 16, count, generator).reshape(-1, 1, 1, 1)
    threshold = _between(0.3, 0.6, count, generator).reshape(-1, 1, 1, 1)
    drawn = torch.sigmoid(hard * (ink - threshold)) - torch.sigmoid(-hard * threshold)
    drawn = drawn / (torch.sigmoid(hard * (1 - threshold)) - torch.sigmoid(-hard * threshold))
    soft = (torch.rand(count, generator=generator) < 0.3).reshape(-1, 1, 1, 1)
    return torch.where(soft, ink, drawn)


def _lit(ink: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """On paper of some grey, with a shadow across, noise, and often bars beside it."""
    count = len(ink)
    paper = _between(0.35, 1.0, count, generator)
    pen = paper * _between(0.0, 0.6, count, generator)
    paper, pen = (tone.reshape(-1, 1, 1, 1) for tone in (paper, pen))
    axis = torch.linspace(-1, 1, SIDE)
    tilt_x, tilt_y = (_between(-0.12, 0.12, count, generator).reshape(-1, 1, 1, 1) for _ in range(2))
    shadow = 1 + tilt_x * axis.reshape(1, 1, 1, -1) + tilt_y * axis.reshape(1, 1, -1, 1)
    picture = (paper + (pen - paper) * ink) * shadow
    noise = _between(0, 0.05, count, generator).reshape(-1, 1, 1, 1)
    picture = picture + noise * torch.randn(picture.shape, generator=generator)
    inverted = (torch.rand(count, generator=generator) < 0.5).reshape(-1, 1, 1, 1)
    picture = torch.where(inverted, 1 - picture, picture).clamp(0, 1) * 2 - 1
    return _barred(picture, axis, generator)


def _barred(picture: torch.Tensor, axis: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A third gets the bars of a photo that is wider or higher than its digit; what they hide is lost."""
    count = len(picture)
    visible = _between(0.7, 1.0, count, generator)
    visible = torch.where(torch.rand(count, generator=generator) < 1 / 3, visible, torch.ones(count))
    wide = torch.rand(count, generator=generator) < 0.5
    outside = axis.abs()[None] > visible[:, None]
    rows = (outside & wide[:, None])[:, None, :, None]
    columns = (outside & ~wide[:, None])[:, None, None, :]
    return torch.where(rows | columns, torch.tensor(_PAD), picture)
