"""A network over a large photo in overlapping tiles, so that memory is bounded by one tile.

Every tile goes in with `OVERLAP` pixels of its surroundings on each side, which are cut off from what comes
out: a network that looks no further than that gives what it would give for the whole photo at once. At the
photo's edges the surroundings are its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

TILE = 192
OVERLAP = 16


def tiled(
    image: Array, run: Callable[[Array], Array], upscale: int, side: tuple[int, int] | None, multiple: int
) -> Array:
    """`run` over `(h, w[, 3])` in tiles; `(h * upscale, w * upscale[, 3])`.

    `side`: width and height of what `run` takes, where the network has a fixed size. A photo that fits into
    one tile goes in once.
    """
    height, width = image.shape[:2]
    across, down = side or (_fitted(width, multiple), _fitted(height, multiple))
    step = (max(1, across - 2 * OVERLAP), max(1, down - 2 * OVERLAP))
    if width <= across and height <= down:
        whole = run(_window(image, 0, 0, across, down))
        return np.ascontiguousarray(whole[: height * upscale, : width * upscale])
    out: Array | None = None
    for top in range(0, height, step[1]):
        for left in range(0, width, step[0]):
            piece = run(_window(image, left - OVERLAP, top - OVERLAP, across, down))
            if out is None:
                out = np.empty((height * upscale, width * upscale, *piece.shape[2:]), np.uint8)
            rows, columns = min(step[1], height - top), min(step[0], width - left)
            cut = OVERLAP * upscale
            out[top * upscale : (top + rows) * upscale, left * upscale : (left + columns) * upscale] = piece[
                cut : cut + rows * upscale, cut : cut + columns * upscale
            ]
    assert out is not None  # noqa: S101 - a photo has pixels
    return out


def _fitted(size: int, multiple: int) -> int:
    """The side of a tile for a photo of this size: the photo's own up to TILE with its surroundings."""
    most = -(-(TILE + 2 * OVERLAP) // multiple) * multiple
    return min(most, -(-size // multiple) * multiple)


def _window(image: Array, left: int, top: int, width: int, height: int) -> Array:
    """That part of `image`; what lies outside is its mirror image."""
    rows, columns = _mirrored(top, height, image.shape[0]), _mirrored(left, width, image.shape[1])
    return np.ascontiguousarray(image[rows][:, columns])


def _mirrored(start: int, count: int, size: int) -> NDArray[np.intp]:
    if size == 1:
        return np.zeros(count, np.intp)
    there = np.arange(start, start + count) % (2 * size - 2)
    return np.minimum(there, 2 * size - 2 - there)
