"""Boxes and labels on a photo: a colour for each class, letters from DejaVu Sans Mono, in the package.

The colour of class i has the hue i × 0.618034 turns (the golden section keeps neighbours apart), so that it
is the same in every photo, job and version of the weights.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import model_images.filters
from model_images.runtime.contract import Array

_FONT = Path(model_images.filters.__path__[0]) / "data" / "DejaVuSansMono.ttf"
_GOLDEN = 0.618034
_MAX_LABEL = 40  # characters
Colour = tuple[int, int, int]


class Drawn(NamedTuple):
    """One box in pixels of the photo: x, y, width, height."""

    box: Sequence[float]
    class_id: int
    text: str


def draw(image: Array, boxes: Sequence[Drawn], line_width: int, labels: bool) -> Array:
    """A copy of `(h, w, 3)` RGB with the boxes on it, the first of them on top. `line_width` 0: by the
    photo's size."""
    out = image.copy()
    longest = max(image.shape[:2])
    width = line_width or max(2, round(longest / 400))
    size = min(64, max(11, round(longest / 55)))
    for item in reversed(boxes):
        x, y, across, down = item.box
        corner = (round(x), round(y))
        cv2.rectangle(out, corner, (round(x + across), round(y + down)), colour(item.class_id), width)
        if labels:
            _label(out, item, corner, size, width)
    return out


@lru_cache(maxsize=1024)
def colour(class_id: int) -> Colour:
    """RGB: strong, and neither very dark nor very light."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * _GOLDEN % 1, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def ink(paper: Colour) -> int:
    """Black or white letters: whichever has more contrast with `paper` (WCAG 2, relative luminance)."""
    linear = [(v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4) for v in paper]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 0 if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else 255


def _label(out: Array, item: Drawn, corner: tuple[int, int], size: int, line: int) -> None:
    """On top of the box where there is room, in it otherwise, moved so that it can be read."""
    cover = _letters(item.text[:_MAX_LABEL], size)
    height, width = cover.shape
    left = max(0, min(corner[0] - line // 2, out.shape[1] - width))
    top = corner[1] - height - line // 2
    top = max(0, min(top if top >= 0 else corner[1] + line // 2, out.shape[0] - height))
    under = out[top : top + height, left : left + width]
    cover = cover[: under.shape[0], : under.shape[1], None].astype(np.uint16)
    paper = colour(item.class_id)
    mixed = cover * ink(paper) + (255 - cover) * np.array(paper, np.uint16)
    under[:] = ((mixed + 127) // 255).astype(np.uint8)


@lru_cache(maxsize=512)
def _letters(text: str, size: int) -> Array:
    """`(height, width)`: how much of each pixel the letters cover."""
    font = ImageFont.truetype(_FONT, size, layout_engine=ImageFont.Layout.BASIC)
    ascent, descent = font.getmetrics()
    pad = max(2, size // 5)
    shape = (round(font.getlength(text)) + 2 * pad, ascent + descent + pad // 2)
    tile = Image.new("L", shape)
    ImageDraw.Draw(tile).text((pad, pad // 4), text, fill=255, font=font)
    return np.asarray(tile)
