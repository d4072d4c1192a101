"""The choice of tiles against plain loops over every cell and every tile."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.filters import _assign


def features(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape).astype(np.float32)


@pytest.mark.parametrize("chunk", [60, 4_000_000])
def test_nearest_equals_the_plain_search(chunk, monkeypatch):
    monkeypatch.setattr(_assign, "_CHUNK", chunk)
    cells, tiles = features(7, 9, 27), features(50, 27)
    away = np.square(cells[:, :, None] - tiles).sum(-1)
    assert (_assign.assign(cells, tiles) == away.argmin(-1)).all()


@pytest.mark.parametrize("chunk", [60, 4_000_000])
@pytest.mark.parametrize("distance", [1, 2])
def test_apart_means_the_nearest_of_those_not_nearby(distance, chunk, monkeypatch):
    monkeypatch.setattr(_assign, "_CHUNK", chunk)
    cells, tiles = features(8, 9, 3) // 64 * 64, features(30, 3)
    chosen = _assign.assign(cells, tiles, distance)
    away = np.square(cells[:, :, None] - tiles).sum(-1)
    step = distance + 1
    order = [
        (y, x)
        for first in range(step * step)
        for y in range(first // step, 8, step)
        for x in range(first % step, 9, step)
    ]
    expected = np.full((8, 9), -1)
    for y, x in order:
        around = expected[max(0, y - distance) : y + distance + 1, max(0, x - distance) : x + distance + 1]
        allowed = [tile for tile in np.argsort(away[y, x], kind="stable") if tile not in around]
        expected[y, x] = allowed[0]
    assert (chosen == expected).all()


def test_limited_gives_each_cell_the_nearest_that_is_left():
    cells, tiles = features(6, 7, 12), features(21, 12)
    chosen = _assign.assign(cells, tiles, 0, 2, seed=9)
    away = np.square(cells[:, :, None] - tiles).sum(-1).reshape(-1, 21)
    left, expected = np.full(21, 2), np.empty(42, int)
    for cell in np.random.default_rng(9).permutation(42):
        expected[cell] = min((t for t in range(21) if left[t]), key=lambda t: (away[cell, t], t))
        left[expected[cell]] -= 1
    assert (chosen.ravel() == expected).all()


@pytest.mark.parametrize(
    ("tiles", "wanted", "kept"),
    [(1, 3, 0), (8, 3, 0), (9, 3, 1), (24, 3, 1), (25, 3, 2), (360, 6, 6), (360, 2, 2)],
)
def test_feasible_distance(tiles, wanted, kept):
    assert _assign.feasible_distance(tiles, wanted) == kept
