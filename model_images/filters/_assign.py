"""Which tile goes where in a photomosaic.

Features are whole numbers from 0 to 255, at most 75 of them, so every distance is below 2**24 and exact in
float32: the same tiles on every machine, and ties go to the tile that comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Indices = NDArray[np.intp]
_CHUNK = 4_000_000  # distances held at a time


def feasible_distance(tiles: int, wanted: int) -> int:
    """The largest distance up to `wanted` that so many tiles can always keep: `(2d + 1)²` can."""
    return min(wanted, (isqrt(tiles) - 1) // 2)


def assign(cells: Features, tiles: Features, distance: int = 0, max_uses: int = 0, seed: int = 0) -> Indices:
    """`(h, w, d)` cells and `(n, d)` tiles to the `(h, w)` index of each cell's tile: the nearest allowed.

    distance: no tile is repeated within so many cells in any direction; it must be feasible. max_uses: no
    tile is used more often, 0 for no limit; `n * max_uses` must be at least `h * w`. Where both can't hold,
    max_uses does.
    """
    if max_uses:
        return _limited(cells, tiles, distance, max_uses, seed)
    return _apart(cells, tiles, distance)


def _distances(cells: Features, tiles: Features) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """`(m, n + 1)` squared distances, less what is the same for a row. The last column is spare: infinite."""
    factors = np.ascontiguousarray(-2 * tiles.T)
    squares = (tiles**2).sum(1)
    rows = max(1, _CHUNK // len(tiles))
    for at in range(0, len(cells), rows):
        part = slice(at, min(at + rows, len(cells)))
        table = np.full((part.stop - at, len(tiles) + 1), np.inf, np.float32)
        np.add(cells[part] @ factors, squares, out=table[:, :-1])
        yield part, table


def _apart(cells: Features, tiles: Features, distance: int) -> Indices:
    """Cells `distance + 1` apart can't meet, so each such lattice of cells chooses at once."""
    height, width, depth = cells.shape
    spare = len(tiles)
    chosen = np.full((height + 2 * distance, width + 2 * distance), spare, np.intp)  # with a margin
    step = distance + 1
    span = np.arange(2 * distance + 1)
    for first in range(step * step):
        y, x = (part.ravel() for part in np.mgrid[first // step : height : step, first % step : width : step])
        for part, table in _distances(cells[y, x].reshape(-1, depth), tiles):
            rows, columns = y[part, None, None] + span[:, None], x[part, None, None] + span
            taken = chosen[rows, columns].reshape(len(table), -1)
            np.put_along_axis(table, taken, np.inf, axis=1)
            chosen[y[part] + distance, x[part] + distance] = table.argmin(axis=1)
    return chosen[distance : distance + height, distance : distance + width]


def _limited(cells: Features, tiles: Features, distance: int, max_uses: int, seed: int) -> Indices:
    """One cell after the other in random order, so that a run out of good tiles spreads evenly."""
    height, width, depth = cells.shape
    order = np.random.default_rng(seed).permutation(height * width)
    chosen = np.full((height + 2 * distance, width + 2 * distance), len(tiles), np.intp)
    left = np.full(len(tiles), max_uses)
    shut = np.zeros(len(tiles) + 1, np.float32)
    window = 2 * distance + 1
    for part, table in _distances(cells.reshape(-1, depth)[order], tiles):
        for row, cell in zip(table, order[part].tolist(), strict=True):
            y, x = divmod(cell, width)
            row += shut
            apart = row.copy()
            apart[chosen[y : y + window, x : x + window]] = np.inf
            tile = int(apart.argmin())
            if apart[tile] == np.inf:  # only tiles from nearby are left
                tile = int(row.argmin())
            chosen[y + distance, x + distance] = tile
            left[tile] -= 1
            if not left[tile]:
                shut[tile] = np.inf
    return chosen[distance : distance + height, distance : distance + width]
