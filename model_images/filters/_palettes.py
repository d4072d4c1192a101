"""Palettes: the named ones, a user's own, and ones found in a picture by k-means.

Sources of the named ones: gameboy, the four shades of the DMG-01's screen as emulators show them; pico8, the
PICO-8 manual; c64, Philip Timmermann's "Pepto" measurements; cga, the 16 colours of the IBM 5153 with its
brown; nes, the 2C02's output colours as commonly published. They are facts about machines, given as sRGB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_images.filters._oklab import Lab, nearest, oklab, to_rgb
from model_images.runtime.contract import Array

_HEX = {
    "gameboy": "0f380f 306230 8bac0f 9bbc0f",
    "pico8": (
        "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 ff004d ffa300 ffec27 00e436 "
        "29adff 83769c ff77a8 ffccaa"
    ),
    "c64": (
        "000000 ffffff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f 6f4f25 433900 9a6759 444444 "
        "6c6c6c 9ad284 6c5eb5 959595"
    ),
    "cga": (
        "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa 555555 5555ff 55ff55 55ffff "
        "ff5555 ff55ff ffff55 ffffff"
    ),
    "nes": (
        "7c7c7c 0000fc 0000bc 4428bc 940084 a80020 a81000 881400 503000 007800 006800 005800 "
        "004058 000000 bcbcbc 0078f8 0058f8 6844fc d800cc e40058 f83800 e45c10 ac7c00 00b800 "
        "00a800 00a844 008888 f8f8f8 3cbcfc 6888fc 9878f8 f878f8 f85898 f87858 fca044 f8b800 "
        "b8f818 58d854 58f898 00e8d8 787878 fcfcfc a4e4fc b8b8f8 d8b8f8 f8b8f8 f8a4c0 f0d0b0 "
        "fce0a8 f8d878 d8f878 b8f8b8 b8f8d8 00fcfc d8d8d8"
    ),
}
NAMES = tuple(_HEX)
_SAMPLE = 4096
_ROUNDS = 12


def parse(colours: list[str] | tuple[str, ...]) -> Array:
    """`#rrggbb` texts, already checked, to `(k, 3)` RGB."""
    return np.array([list(bytes.fromhex(text.lstrip("#"))) for text in colours], np.uint8).reshape(-1, 3)


def as_hex(palette: Array) -> list[str]:
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette.tolist()]


def named(name: str) -> Array:
    """`(k, 3)` RGB of a palette in `NAMES`."""
    return parse(_HEX[name].split())


def found_in(pixels: Array, size: int, seed: int = 0) -> Array:
    """At most `size` colours that stand for `(n, 3)` RGB pixels, `(k, 3)` from dark to light.

    k-means in OKLab over at most 4096 pixels. A picture with no more colours than asked for keeps its own.
    """
    rng = np.random.default_rng(seed)
    if len(pixels) > _SAMPLE:
        pixels = pixels[np.sort(rng.choice(len(pixels), _SAMPLE, replace=False))]
    colours, counts = _distinct(pixels)
    if len(colours) > size:
        centres = _kmeans(oklab(colours), counts, size, rng)
        colours, _ = _distinct(to_rgb(centres))
    order = np.lexsort((colours[:, 2], colours[:, 1], colours[:, 0], oklab(colours)[:, 0]))
    return colours[order]


def _distinct(pixels: Array) -> tuple[Array, NDArray[np.int64]]:
    """The different colours among `(n, 3)` pixels, and how often each occurs."""
    wide = pixels.astype(np.uint32)
    codes, counts = np.unique(wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2], return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8), counts


def _kmeans(points: Lab, weights: NDArray[np.int64], k: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """`(k, 3)` centres: k-means++ seeding (Arthur and Vassilvitskii 2007), then at most 12 of Lloyd's rounds.

    Centres are rounded to whole thousandths in each round, which keeps every distance exact. A centre that
    loses its last point stays where it is.
    """
    wide = points.astype(np.int64)
    centres = np.empty((k, 3), np.int16)
    centres[0] = points[np.argmax(weights)]
    gap = ((wide - centres[0]) ** 2).sum(1)
    for i in range(1, k):
        reach = np.cumsum(gap * weights)
        centres[i] = points[np.searchsorted(reach, rng.integers(reach[-1]), side="right")]
        gap = np.minimum(gap, ((wide - centres[i]) ** 2).sum(1))
    for _ in range(_ROUNDS):
        owner = nearest(points, centres)
        share = np.bincount(owner, weights, k)
        sums = np.stack([np.bincount(owner, weights * wide[:, c], k) for c in range(3)], axis=-1)
        moved = centres.copy()
        moved[share > 0] = np.rint(sums[share > 0] / share[share > 0, None])
        if (moved == centres).all():
            break
        centres = moved
    return centres.astype(np.float64)
