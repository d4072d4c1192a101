from __future__ import annotations

import numpy as np
import pytest

from model_images.filters import _dither


def reference(gray, kernel):
    """Error diffusion as its authors describe it: one pixel after the other."""
    height, width = gray.shape
    values = gray.astype(int)
    out = np.zeros((height, width), int)
    for y in range(height):
        for x in range(width):
            value = min(255, max(0, values[y, x]))
            out[y, x] = 255 if value >= 128 else 0
            for down, right, weight in kernel:
                if y + down < height and 0 <= x + right < width:
                    values[y + down, x + right] += (value - out[y, x]) * weight >> 4
    return out


def nearest(values):
    white = values[:, 0] >= 128
    return white.astype(np.uint8), (white * np.int16(255))[:, None]


def test_atkinson_equals_the_plain_loop(noise):
    assert (_dither.atkinson(noise) == reference(noise, _dither.ATKINSON)).all()


@pytest.mark.parametrize("name", ["floyd_steinberg", "atkinson"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (23, 17), (5, 40)])
@pytest.mark.parametrize("band", [1, 2, 5, 4096])
def test_wavefronts_equal_the_plain_loop_whatever_the_bands(name, shape, band, monkeypatch):
    monkeypatch.setattr(_dither, "_BAND", band)
    gray = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    kernel = _dither.KERNELS[name]
    assert (_dither.diffuse(gray[..., None], nearest, kernel) * 255 == reference(gray, kernel)).all()


def test_weights_of_the_kernels():
    assert sum(weight for *_, weight in _dither.FLOYD_STEINBERG) == 16
    assert sum(weight for *_, weight in _dither.ATKINSON) == 12  # a quarter is dropped


def test_bayer_matrix():
    assert _dither.bayer_matrix(2).tolist() == [[0, 2], [3, 1]]
    assert _dither.bayer_matrix(4).tolist() == [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]
    assert sorted(_dither.bayer_matrix(8).ravel()) == list(range(64))


def test_bayer_shift_is_even_around_nothing():
    grey = np.full((4, 4, 3), 100, np.uint8)
    shifted = _dither.bayer_shifted(grey, 4, 64)
    assert (shifted[..., 0].min(), shifted[..., 0].max()) == (70, 130)
    assert abs(shifted.mean() - 100) < 1
