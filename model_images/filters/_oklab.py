"""OKLab in whole thousandths, by integers only, so that every machine finds the same nearest colour.

Source: Björn Ottosson 2020, "A perceptual color space for image processing", bottosson.github.io/posts/oklab;
the sRGB curve is IEC 61966-2-1. Distances between such triples stay below 2**24, which float32 holds exactly.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

Lab = NDArray[np.int16]  # (..., 3): lightness 0–1000, a and b about -400–400

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LMS_MAX = 65535
_ROOT_MAX = 1 << 15
_CHUNK = 8192  # pixels at a time: what fits in the cache


@cache
def _tables() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """`(3, 3, 256)` shares of LMS by channel value, `(65536,)` cube roots, `(3, 3)` roots to Lab."""
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    shares = np.rint(_TO_LMS[:, :, None] * linear * _LMS_MAX).astype(np.int32)
    roots = np.rint(np.cbrt(np.arange(_LMS_MAX + 1) / _LMS_MAX) * _ROOT_MAX).astype(np.int32)
    return shares, roots, np.rint(_TO_LAB * 1000 * 64).astype(np.int32)


def oklab(rgb: Array) -> Lab:
    """`(..., 3)` sRGB to `(..., 3)` OKLab in thousandths."""
    flat = rgb.reshape(-1, 3)
    out = np.empty(flat.shape, np.int16)
    for at in range(0, len(flat), _CHUNK):
        out[at : at + _CHUNK] = _oklab(flat[at : at + _CHUNK])
    return out.reshape(rgb.shape)


def _oklab(rgb: Array) -> Lab:
    shares, roots, mix = _tables()
    r, g, b = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    lms = [roots[np.minimum(shares[i, 0][r] + shares[i, 1][g] + shares[i, 2][b], _LMS_MAX)] for i in range(3)]
    half = 1 << 20
    lab = [(_dot(mix[i], lms) + half) >> 21 for i in range(3)]
    return np.stack(lab, axis=-1).astype(np.int16)


def _dot(row: NDArray[np.int32], parts: list[NDArray[np.int32]]) -> NDArray[np.int64]:
    return sum(int(row[i]) * parts[i].astype(np.int64) for i in range(3))


def to_rgb(lab: NDArray[np.float64]) -> Array:
    """`(n, 3)` OKLab in thousandths, of a few colours, to the nearest sRGB inside the gamut (by clipping)."""
    roots = np.linalg.solve(_TO_LAB, np.asarray(lab, np.float64).T / 1000)
    linear = np.clip(np.linalg.solve(_TO_LMS, roots**3).T, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.floor(curve * 255 + 0.5).astype(np.uint8)


def nearest(points: Lab, centres: Lab) -> NDArray[np.intp]:
    """`(n,)` index of the centre nearest to each of `(n, 3)` points; the lower index where two are equal."""
    factors = np.vstack([-2 * centres.astype(np.float32).T, (centres.astype(np.float32) ** 2).sum(1)])
    out = np.empty(len(points), np.intp)
    ones = np.ones((min(_CHUNK, len(points)), 1), np.float32)
    for at in range(0, len(points), _CHUNK):
        part = points[at : at + _CHUNK]
        out[at : at + _CHUNK] = (np.hstack([part, ones[: len(part)]]) @ factors).argmin(1)
    return out
