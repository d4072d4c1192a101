"""The built-in tiles of the mosaic: 360 patterns drawn from formulas, so they are free of anyone's rights.

224 patterns over a grid in OKLab (8 lightnesses × 12 hues × 2 chromas, and four greys of each lightness), and
136 edges: two colours that meet along a line in one of 8 directions, for the outlines in a photo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_images.filters._oklab import to_rgb
from model_images.runtime.contract import Array

COUNT = 360
_LIGHTNESSES = np.linspace(120, 960, 8)
_HUES = np.arange(12) * np.pi / 6
_CHROMAS = (50, 130)
_GREYS = 4  # of each lightness, with different patterns
_DIRECTIONS = 8
_EDGE_PAIRS = 17
Floats = NDArray[np.float64]

# Signed distance to the outline of a shape, in tile widths, above 0 inside; x and y from -1/2 to 1/2.
_SHAPES: tuple[Callable[[Floats, Floats], Floats], ...] = (
    lambda x, y: 0.36 - np.hypot(x, y),
    lambda x, y: 0.10 - np.abs(np.hypot(x, y) - 0.30),
    lambda x, y: 0.40 - np.abs(x) - np.abs(y),
    lambda x, y: 0.32 - np.maximum(np.abs(x), np.abs(y)),
    lambda x, y: np.sin((x + y) * 4 * np.pi) / 12,
    lambda x, y: np.sin((x - y) * 4 * np.pi) / 12,
    lambda x, y: np.sin(x * 4 * np.pi) * np.sin(y * 4 * np.pi) / 8,
    lambda x, y: np.sin((y + 0.06 * np.sin(x * 4 * np.pi)) * 6 * np.pi) / 18,
    lambda x, y: 0.30 + 0.10 * np.cos(5 * np.arctan2(y, x)) - np.hypot(x, y),
    lambda x, y: np.minimum(0.30 - y, 0.32 + y - 1.7 * np.abs(x)),
    lambda x, y: 0.14 - np.minimum(np.abs(x), np.abs(y)),
    lambda x, y: np.sin(np.hypot(x, y) * 8 * np.pi + np.arctan2(y, x)) / 20,
)


@lru_cache(maxsize=4)
def built_in(px: int) -> Array:
    """`(360, px, px, 3)` RGB. Read-only."""
    y, x = (np.mgrid[:px, :px] + 0.5) / px - 0.5
    masks = np.stack([_soft(shape(x, y), px) for shape in _SHAPES])
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    edges = np.stack([_soft(x * np.cos(a) + y * np.sin(a), px) for a in angles])
    front, back = _pattern_colours()
    number = np.arange(len(front))
    patterns = _mixed(front, back, masks[(number * 5 + number // len(masks)) % len(masks)])
    light, dark = _edge_colours()
    borders = _mixed(
        np.repeat(light, _DIRECTIONS, 0), np.repeat(dark, _DIRECTIONS, 0), np.tile(edges, (_EDGE_PAIRS, 1, 1))
    )
    tiles = np.concatenate([patterns, borders])
    tiles.flags.writeable = False
    return tiles


def _soft(distance: Floats, px: int) -> NDArray[np.int32]:
    """0 to 256: coverage, with an edge one pixel wide."""
    return np.rint(np.clip(distance * px + 0.5, 0, 1) * 256).astype(np.int32)


def _mixed(front: Array, back: Array, cover: NDArray[np.int32]) -> Array:
    front, back = (colour.astype(np.int32)[:, None, None, :] for colour in (front, back))
    return (back + ((front - back) * cover[..., None] + 128 >> 8)).astype(np.uint8)


def _polar(lightness: Floats, chroma: Floats, hue: Floats) -> Array:
    return to_rgb(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1))


def _pattern_colours() -> tuple[Array, Array]:
    """Two `(224, 3)` lists: neighbours in OKLab, so that a tile's mean stays near its place in the grid."""
    places = [(lightness, 0.0, 0.0) for lightness in _LIGHTNESSES for _ in range(_GREYS)]
    places += [(ell, c, h) for ell in _LIGHTNESSES for c in _CHROMAS for h in _HUES]
    lightness, chroma, hue = np.array(places).T
    return _polar(lightness + 50, chroma, hue + 0.25), _polar(lightness - 50, chroma, hue - 0.25)


def _edge_colours() -> tuple[Array, Array]:
    """Two `(17, 3)` lists: light and dark greys, and light and dark of nine hues."""
    steps = np.arange(_EDGE_PAIRS)
    chroma = np.where(steps < 8, 0, 70)
    hue = steps * 2.4  # the golden angle: neighbours in the list are far apart in hue
    gap = 120 + 55 * (steps % 4)
    middle = 300 + 65 * (steps * 3 % 8)
    return _polar(middle + gap, chroma, hue), _polar(middle - gap, chroma, hue + 0.4)
