"""The name of a picture's dominant colour, in the colour wheel of light (RGB) and in that of painters (RYB).

Each pixel votes for its hue with its chroma (the difference between its strongest and weakest channel); the
sector of 30° with the most votes wins. Where fewer than a twelfth of the pixels have a chroma of 32 or more,
the picture is called black, gray or white, by its mean luma.

The painters' wheel is the same hue bent: Gossett and Chen, "Paint Inspired Color Mixing and Compositing for
Visualization" (InfoVis 2004) say which RGB colours a painter's pure and mixed colours look like; the hues of
those six are the fixed points, and hues between them are interpolated linearly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

RGB_NAMES = (
    "red", "orange", "yellow", "chartreuse", "green", "spring green",
    "cyan", "azure", "blue", "violet", "magenta", "rose",
)  # fmt: skip
RYB_NAMES = (
    "red", "red-orange", "orange", "yellow-orange", "yellow", "yellow-green",
    "green", "blue-green", "blue", "blue-violet", "violet", "red-violet",
)  # fmt: skip
NEUTRAL_NAMES = ("black", "gray", "white")
# Hue in degrees of red, orange, yellow, green (0, .66, .2), blue (.163, .373, .6), violet (.5, 0, .5), red.
_HUES = (0.0, 30.0, 60.0, 138.18, 211.17, 300.0, 360.0)
_PAINTED = (0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0)
_COLOURFUL = 32
_FEWEST = 1 / 12
_DARK, _LIGHT = 64, 192
_SIDE = 64  # a larger picture is reduced first


def dominant(image: Array) -> dict[str, str]:
    """`{"rgb": name, "ryb": name}` of `(h, w, 3)` RGB or `(h, w)` grey."""
    small = _small(image)
    if small.ndim == 2:
        return _neutral(small)
    pixels = small.reshape(-1, 3).astype(np.int32)
    chroma = pixels.max(axis=1) - pixels.min(axis=1)
    colourful = chroma >= _COLOURFUL
    if colourful.mean() < _FEWEST:
        return _neutral(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))
    hues = hue(pixels[colourful], chroma[colourful])
    votes = chroma[colourful].astype(np.float64)
    painted = np.interp(hues, _HUES, _PAINTED)
    return {"rgb": _named(hues, votes, RGB_NAMES), "ryb": _named(painted, votes, RYB_NAMES)}


def hue(pixels: NDArray[np.int32], chroma: NDArray[np.int32]) -> NDArray[np.float64]:
    """Degrees, 0 up to 360, of `(n, 3)` RGB: the hexagon's hue as in HSV."""
    red, green, blue = pixels.T
    strongest = pixels.argmax(axis=1)
    part = np.select(
        [strongest == 0, strongest == 1],
        [(green - blue) / chroma, (blue - red) / chroma + 2],
        (red - green) / chroma + 4,
    )
    return np.asarray(part * 60 % 360)


def _named(hues: NDArray[np.float64], votes: NDArray[np.float64], names: tuple[str, ...]) -> str:
    sectors = ((hues + 15) // 30).astype(np.intp) % 12
    return names[int(np.bincount(sectors, votes, 12).argmax())]


def _neutral(gray: Array) -> dict[str, str]:
    mean = float(gray.mean())
    name = NEUTRAL_NAMES[(mean >= _DARK) + (mean >= _LIGHT)]
    return {"rgb": name, "ryb": name}


def _small(image: Array) -> Array:
    height, width = image.shape[:2]
    if max(height, width) <= _SIDE:
        return image
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
