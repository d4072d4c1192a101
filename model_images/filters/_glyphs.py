"""Pictures of characters: an atlas that is indexed by an array, so that no character is drawn twice.

Letters come from DejaVu Sans Mono, which lies beside this file with its licence, so that no fonts need be
installed. Block elements (U+2580–259F) and braille patterns (U+2800–28FF) are drawn from their geometry, so
that they meet without gaps in a cell of any shape.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model_images.runtime.contract import Array

_FONT = Path(__file__).parent / "data" / "DejaVuSansMono.ttf"
_ADVANCE, _ASCENT, _DESCENT = 0.602, 0.928, 0.236  # of DejaVu Sans Mono, in em
_NO_CHARACTER = "\uffff"
_MEASURED_AT = (20, 40)
BRAILLE = "".join(chr(0x2800 + i) for i in range(256))
# Bit of each dot, by row and column (Unicode core specification, section 21.1).
BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
# Quadrants of U+2596–259F: upper left 1, upper right 2, lower left 4, lower right 8.
_QUADRANTS = (4, 8, 1, 13, 9, 7, 11, 2, 6, 14)


def problem(text: str) -> str | None:
    """Why a character of `text` can't stand in a grid of equal cells, or None if all can."""
    for char in text:
        if not char.isprintable() or (char.isspace() and char != " "):
            return f"character U+{ord(char):04X} can't be printed"
        if unicodedata.category(char)[0] == "M":
            return f"character U+{ord(char):04X} has no width of its own"
        if unicodedata.east_asian_width(char) in "WF":
            return f"{char!r} is two columns wide"
        if _geometric(char, 2, 4) is None and _drawn(char, 12, 24) == _drawn(_NO_CHARACTER, 12, 24):
            return f"{char!r} is not in the font"
    return None


@lru_cache(maxsize=16)
def atlas(chars: str, width: int, height: int) -> Array:
    """`(len(chars), height, width)`: how much of each pixel is covered, 0 to 255. Read-only."""
    glyphs = np.empty((len(chars), height, width), np.uint8)
    for i, char in enumerate(chars):
        shape = _geometric(char, width, height)
        glyphs[i] = (
            shape
            if shape is not None
            else np.frombuffer(_drawn(char, width, height), np.uint8).reshape(height, width)
        )
    glyphs.flags.writeable = False
    return glyphs


@cache
def ink(chars: str) -> NDArray[np.float64]:
    """`(len(chars),)`: the share of a cell that each character covers."""
    return atlas(chars, *_MEASURED_AT).mean(axis=(1, 2)) / 255


@cache
def by_ink(chars: str) -> str:
    """`chars` from sparse to dense, without those that cover the same as one before."""
    order = sorted(zip(ink(chars).tolist(), chars, strict=True))
    return "".join(char for i, (share, char) in enumerate(order) if i == 0 or share > order[i - 1][0])


@lru_cache(maxsize=8)
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, size, layout_engine=ImageFont.Layout.BASIC)


def _drawn(char: str, width: int, height: int) -> bytes:
    """One character in its cell, as `height * width` bytes."""
    size = min(width / _ADVANCE, height / (_ASCENT + _DESCENT))
    font = _font(size)
    cell = Image.new("L", (width, height))
    left = (width - _ADVANCE * size) / 2
    baseline = (height - (_ASCENT + _DESCENT) * size) / 2 + _ASCENT * size
    ImageDraw.Draw(cell).text((left, baseline), char, fill=255, font=font, anchor="ls")
    return cell.tobytes()


def _geometric(char: str, width: int, height: int) -> Array | None:
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:
        return _braille(code - 0x2800, width, height)
    if 0x2580 <= code <= 0x259F:
        return _block(code, width, height)
    return None


def _block(code: int, width: int, height: int) -> Array:
    cell = np.zeros((height, width), np.uint8)
    down, right = round(height / 2), round(width / 2)
    if (
        0x2591 <= code <= 0x2593
    ):  # shades: an even tone instead of a pattern, which would beat with the pixels
        cell[:] = round(255 * (code - 0x2590) / 4)
    elif code in (0x2580, 0x2594):
        cell[: down if code == 0x2580 else max(1, round(height / 8))] = 255
    elif code <= 0x2588:
        cell[height - max(1, round(height * (code - 0x2580) / 8)) :] = 255
    elif code <= 0x258F:
        cell[:, : max(1, round(width * (0x2590 - code) / 8))] = 255
    elif code in (0x2590, 0x2595):
        cell[:, right if code == 0x2590 else width - max(1, round(width / 8)) :] = 255
    else:
        quarters = _QUADRANTS[code - 0x2596]
        for bit, part in enumerate(
            (np.s_[:down, :right], np.s_[:down, right:], np.s_[down:, :right], np.s_[down:, right:])
        ):
            cell[part] = 255 * (quarters >> bit & 1)
    return cell


def _braille(bits: int, width: int, height: int) -> Array:
    """Discs on a grid of 2 × 4, with soft edges."""
    y, x = np.mgrid[:height, :width] + 0.5
    radius = 0.4 * min(width / 2, height / 4)
    cover = np.zeros((height, width))
    for row in range(4):
        for column in range(2):
            if bits & int(BRAILLE_BITS[row, column]):
                away = np.hypot(x - (column + 0.5) * width / 2, y - (row + 0.5) * height / 4)
                cover = np.maximum(cover, np.clip(radius + 0.5 - away, 0, 1))
    return np.rint(cover * 255).astype(np.uint8)
