"""Turning many tones into few: ordered (Bayer) and error diffusion (Floyd–Steinberg, Atkinson).

Sources: Bayer 1973, "An optimum method for two-level rendition of continuous-tone pictures"; Floyd and
Steinberg 1976, "An adaptive algorithm for spatial greyscale"; Atkinson's filter as used in MacPaint's
scanner software: six neighbours get 1/8 of the error each, so a quarter of it is dropped.

Error diffusion is a chain along a row, but the pixels whose `x + 2y` is equal depend only on pixels with a
smaller sum. So the picture is sheared until those form a row of memory (`_shear`), and each step handles one
such wavefront with a few NumPy calls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_images.runtime.contract import Array

Ints = NDArray[np.int16]
# (rows down, columns right, sixteenths of the error)
FLOYD_STEINBERG = ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1))
ATKINSON = ((0, 1, 2), (0, 2, 2), (1, -1, 2), (1, 0, 2), (1, 1, 2), (2, 0, 2))
KERNELS = {"floyd_steinberg": FLOYD_STEINBERG, "atkinson": ATKINSON}
_BAND = 4096  # rows sheared at a time: bounds the memory, not the result


@cache
def bayer_matrix(size: int) -> NDArray[np.int64]:
    """`(size, size)` order of the dots, 0 to size² - 1; `size` is a power of two."""
    if size == 1:
        return np.zeros((1, 1), np.int64)
    half = 4 * bayer_matrix(size // 2)
    return np.block([[half, half + 2], [half + 3, half + 1]])


def bayer(gray: Array, size: int) -> Array:
    """`(h, w)` grey to 0 or 255: white where `v / 255 > (M + 1/2) / size²`, so 0 stays black, 255 white."""
    limits = ((2 * bayer_matrix(size) + 1) * 255 // (2 * size * size)).astype(np.uint8)
    width = gray.shape[1]
    out = np.empty(gray.shape, np.uint8)
    for row in range(size):
        limit = np.resize(limits[row], width)
        np.greater(gray[row::size], limit, out=out[row::size].view(bool))
    np.negative(out, out=out)  # 1 becomes 255
    return out


def bayer_shifted(image: Array, size: int, spread: int) -> Array:
    """`(h, w, c)` with each pixel lighter or darker by its place in the matrix: by at most `spread / 2`."""
    shift = (2 * bayer_matrix(size) + 1 - size * size) * spread // (2 * size * size)
    height, width = image.shape[:2]
    tiled = np.tile(shift, (-(-height // size), -(-width // size)))[:height, :width, None]
    return np.clip(image + tiled, 0, 255).astype(np.uint8)


def floyd_steinberg(gray: Array) -> Array:
    """`(h, w)` grey to 0 or 255, by Pillow's own loop in C."""
    return np.array(Image.fromarray(gray).convert("1"), dtype=np.uint8) * np.uint8(255)


def atkinson(gray: Array) -> Array:
    """`(h, w)` grey to 0 or 255."""

    def nearest(values: Ints) -> tuple[Array, Ints]:
        white = values[:, 0] >= 128
        return white.astype(np.uint8), (white * np.int16(255))[:, None]

    return diffuse(gray[..., None], nearest, ATKINSON) * np.uint8(255)


def diffuse(
    image: Array,
    nearest: Callable[[Ints], tuple[Array, Ints]],
    kernel: tuple[tuple[int, int, int], ...],
) -> Array:
    """Error diffusion from left to right and top to bottom.

    image: `(h, w, c)` uint8. nearest: takes `(n, c)` values of 0–255 and gives `(n,)` indices and the
    `(n, c)` values that those stand for. Returns the `(h, w)` indices. A value with its errors is clipped to
    0–255, so that errors can't pile up where the palette lacks a tone; a share of an error is cut towards
    minus infinity to a whole number; what would leave the picture is dropped.
    """
    height, width, channels = image.shape
    out = np.empty((height, width), np.uint8)
    carry = np.zeros((2, width, channels), np.int16)  # errors for the two rows under a band
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        values = np.zeros((rows + 2, width, channels), np.int16)
        values[:rows] = image[top : top + rows]
        values[:2] += carry
        carry = _band(values, rows, nearest, kernel, out[top : top + rows])
    return out


def _band(
    values: Ints,
    rows: int,
    nearest: Callable[[Ints], tuple[Array, Ints]],
    kernel: tuple[tuple[int, int, int], ...],
    out: Array,
) -> Ints:
    """Diffuses `rows` rows of `values`, whose last two rows only collect; returns those two."""
    width = values.shape[1]
    steps = width + 2 * (rows - 1)
    waves = _shear(values)
    picked = np.zeros((steps, rows), np.uint8)
    for step in range(steps):
        first = max(0, (step - width + 2) // 2)  # rows y with 0 <= step - 2y < width
        last = min(rows - 1, step // 2) + 1
        now = np.clip(waves[step, first:last], 0, 255)
        picked[step, first:last], chosen = nearest(now)
        error = now - chosen
        shares = {n: (error * n) >> 4 for n in {weight for _, _, weight in kernel}}
        for down, right, weight in kernel:
            waves[step + right + 2 * down, first + down : last + down] += shares[weight]
    slanted = cv2.transpose(picked)
    for y in range(rows):
        out[y] = slanted[y, 2 * y : 2 * y + width]
    return np.stack([_row(waves, rows + i, width) for i in range(2)])


def _shear(values: Ints) -> Ints:
    """`(h, w, c)` to `(w + 2h + 2, h, c)`: pixel (y, x) moves to [x + 2y, y]. What a pixel at the right edge
    hands to its right lands beyond the row's own part; what one at the left edge hands to its left lands
    before it: both are never read as pixels."""
    height, width, channels = values.shape
    slanted = np.zeros((height, width + 2 * height + 2, channels), np.int16)
    for y in range(height):
        slanted[y, 2 * y : 2 * y + width] = values[y]
    return cv2.transpose(slanted).reshape(-1, height, channels)


def _row(waves: Ints, y: int, width: int) -> Ints:
    return waves[2 * y : 2 * y + width, y]
