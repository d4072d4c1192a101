from __future__ import annotations

import numpy as np
import pytest

from model_images.filters._oklab import nearest, oklab, to_rgb


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [  # from the author's own converter
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (1000, 0, 0)),
        ((255, 0, 0), (628, 225, 126)),
        ((0, 255, 0), (866, -234, 180)),
        ((0, 0, 255), (452, -32, -312)),
    ],
)
def test_known_colours(rgb, expected):
    assert np.abs(oklab(np.array([rgb], np.uint8))[0] - np.array(expected)).max() <= 1


def test_there_and_back():
    colours = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    assert np.abs(to_rgb(oklab(colours)).astype(int) - colours).max() <= 6  # steep near black: thousandths
    assert np.abs(to_rgb(oklab(colours)).astype(int) - colours).mean() < 0.5


def test_nearest_equals_the_plain_search():
    rng = np.random.default_rng(0)
    points, centres = (
        oklab(rng.integers(0, 256, (20000, 3), dtype=np.uint8)),
        oklab(rng.integers(0, 256, (200, 3), dtype=np.uint8)),
    )
    away = np.square(points[:, None].astype(np.int64) - centres[None]).sum(2)
    assert (nearest(points, centres) == away.argmin(1)).all()
