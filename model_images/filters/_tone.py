"""Grey values: luma weights, contrast and inversion, all as integers so that every machine agrees.

Sources: Rec. ITU-R BT.601-7 (section 2.5.1) and BT.709-6 (item 3.2) for the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from model_images.runtime.contract import Array

REC601 = (0.299, 0.587, 0.114)
REC709 = (0.2126, 0.7152, 0.0722)
_SHIFT = 15
_ROWS = 64  # rows at a time: what fits in the cache


def luma(rgb: Array, weights: Sequence[float]) -> Array:
    """`(h, w, 3)` RGB to `(h, w)` grey by `weights`, which are scaled to sum to 1.

    Fixed point with 15 bits, rounded to nearest; equal channels give exactly their own value.
    """
    total = sum(weights)
    red, green = (round(w / total * (1 << _SHIFT)) for w in weights[:2])
    factors = (red, green, (1 << _SHIFT) - red - green)
    tables = [(np.arange(256, dtype=np.uint32) * f).astype(np.uint32) for f in factors]
    tables[0] += 1 << (_SHIFT - 1)
    gray = np.empty(rgb.shape[:2], np.uint8)
    for top in range(0, len(rgb), _ROWS):
        part = rgb[top : top + _ROWS]
        total_ = tables[0][part[..., 0]]
        total_ += tables[1][part[..., 1]]
        total_ += tables[2][part[..., 2]]
        total_ >>= _SHIFT
        gray[top : top + _ROWS] = total_
    return gray


def tone_table(contrast: float = 1.0, invert: bool = False) -> Array:
    """`(256,)`: `128 + contrast * (v - 128)`, rounded and clipped, then turned over if `invert`."""
    values = np.clip(np.floor((np.arange(256) - 128) * contrast + 128.5), 0, 255).astype(np.uint8)
    return 255 - values if invert else values


def toned(image: Array, contrast: float = 1.0, invert: bool = False) -> Array:
    """`image` through `tone_table`; the same array where there is nothing to do."""
    if contrast == 1.0 and not invert:
        return image
    if contrast == 1.0:
        return cv2.bitwise_not(image)
    return cv2.LUT(image, tone_table(contrast, invert))
