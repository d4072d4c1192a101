"""The name of a dominant colour."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.runtime.dominant import dominant


def names(*colours, shape=(6, 6)) -> tuple[str, str]:
    pixels = np.resize(np.array(colours, np.uint8), (*shape, 3))
    found = dominant(pixels)
    return found["rgb"], found["ryb"]


@pytest.mark.parametrize(
    ("colour", "rgb", "ryb"),
    [
        ((255, 0, 0), "red", "red"),
        ((255, 128, 0), "orange", "orange"),
        ((255, 255, 0), "yellow", "yellow"),
        ((150, 220, 60), "chartreuse", "yellow-green"),
        ((0, 255, 0), "green", "green"),
        ((0, 168, 51), "spring green", "green"),
        ((42, 95, 153), "azure", "blue"),
        ((0, 0, 255), "blue", "blue-violet"),
        ((128, 0, 128), "magenta", "violet"),
        ((255, 0, 128), "rose", "red-violet"),
        ((0, 255, 255), "cyan", "blue-green"),
        ((120, 60, 20), "orange", "orange"),
        ((0, 0, 0), "black", "black"),
        ((128, 128, 128), "gray", "gray"),
        ((140, 130, 128), "gray", "gray"),
        ((250, 250, 250), "white", "white"),
    ],
)
def test_plain_colours(colour, rgb, ryb):
    assert names(colour) == (rgb, ryb)


def test_hue_just_below_red_is_red():
    assert names((255, 0, 10)) == ("red", "red")


def test_strong_colours_count_for_more_than_pale_ones():
    pale, strong = (150, 150, 200), (255, 0, 0)

    assert names(pale, pale, strong)[0] == "red"
    assert names(pale, pale, pale, pale, pale, pale, strong)[0] == "blue"


def test_a_spot_of_colour_does_not_make_a_gray_picture_colourful():
    pixels = np.full((12, 12, 3), 128, np.uint8)
    pixels[0, :11] = (255, 0, 0)  # 11 of 144: less than a twelfth
    assert dominant(pixels)["rgb"] == "gray"
    pixels[0] = (255, 0, 0)
    assert dominant(pixels)["rgb"] == "red"


def test_gray_and_large_pictures():
    assert dominant(np.full((5, 5), 20, np.uint8)) == {"rgb": "black", "ryb": "black"}
    assert dominant(np.full((3000, 2, 3), (0, 0, 200), np.uint8))["rgb"] == "blue"
