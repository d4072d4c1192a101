"""ASCII art: a photo as characters, in one run as text, as a page of HTML and as a picture.

A JPEG is decoded at up to 1/8 (grey only, unless colour is asked for); its areas become one value a cell, or
2 × 4 dots for braille, and the values index into the characters and into an atlas of their shapes.
"""

from __future__ import annotations

import string
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from model_images.filters import _asciihtml, _dither, _glyphs, _png, _scale, _tone
from model_images.runtime.contract import (
    Array,
    Context,
    Encoded,
    Header,
    ImageParams,
    Processor,
    Result,
    Source,
)

_CHARSETS = {
    "simple": " .:-=+*#%@",
    "dense": " " + string.digits + string.ascii_letters + string.punctuation,
    "blocks": " ░▒▓█",
}
_COLOURS = {"dark": ((17, 17, 17), (238, 238, 238)), "light": ((255, 255, 255), (17, 17, 17))}  # paper, ink
_LEVELS = 16  # of grey in the picture: what the soft edges of the characters need


class AsciiParams(ImageParams):
    columns: int = Field(120, ge=20, le=400, description="Characters from left to right", examples=[80])
    charset: Literal["simple", "dense", "blocks", "braille", "custom"] = Field(
        "simple",
        description="Ten characters, all of ASCII, shaded blocks, braille dots, or your own",
        examples=["braille"],
        title="Character set",
    )
    characters: str = Field(
        "",
        max_length=128,
        validate_default=True,
        description="Your characters from sparse to dense, 2 to 128 of them (charset: custom)",
        examples=[" .oO@"],
        title="Your characters",
        json_schema_extra={"x-show-if": {"charset": ["custom"]}},
    )
    color: Literal["none", "foreground", "background"] = Field(
        "none",
        description="Colour of the photo in the characters, behind them, or not at all",
        examples=["foreground"],
        title="Colour",
    )
    background: Literal["dark", "light"] = Field(
        "dark", description="Light characters on dark, or dark ones on light", examples=["light"]
    )
    contrast: float = Field(
        1.0, ge=0.2, le=4, description="Contrast around middle grey; 1 leaves it", examples=[1.4]
    )
    invert: bool = Field(False, description="Swap light and dark", examples=[True])
    font_aspect: float = Field(
        0.5,
        ge=0.3,
        le=0.7,
        description="Width of a character divided by its height",
        examples=[0.55],
        json_schema_extra={"x-group": "Letters"},
    )
    font_size: int = Field(
        16,
        ge=8,
        le=32,
        description="Height of a character in the picture, in pixels",
        examples=[12],
        json_schema_extra={"x-group": "Letters"},
    )

    @field_validator("characters")
    @classmethod
    def _fit_the_grid(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("charset") == "custom" and len(set(value)) < 2:
            raise ValueError("give at least two different characters, from sparse to dense")
        if why := _glyphs.problem(value):
            raise ValueError(why)
        return value


class Ascii(Processor[AsciiParams]):
    """Text (lines end with a newline), HTML (one file, escaped), image (PNG unless asked otherwise).

    >>> AsciiParams(columns=80, charset="custom", characters=" .oO@").columns
    80
    """

    name = "ascii"
    title = "ASCII art"
    summary = "Draws a photo with characters: as text, as a web page and as a picture, all at once."
    kind = "filter"
    version = "1"
    outputs = ("image", "text", "html")
    Params = AsciiParams
    seconds_per_megapixel = 0.004

    def process(self, source: Source, params: AsciiParams, context: Context) -> Result:
        rows = _rows(source.header, params)
        gray, colours = _sampled(source, params, rows)
        chars, indices = _chosen(gray, params)
        grid = np.array(list(chars))[indices]
        lines = ["".join(row) for row in grid.tolist()]
        return Result(
            image=_picture(chars, indices, colours, params) if context.wants("image") else None,
            text="\n".join(lines) + "\n",
            html=_page(grid, lines, colours, params) if context.wants("html") else None,
            prefer="png",
        )

    def output_pixels(self, header: Header, params: AsciiParams) -> int:
        return params.columns * _cell_width(params) * _rows(header, params) * params.font_size


def _rows(header: Header, params: AsciiParams) -> int:
    return max(1, round(params.columns * header.height / header.width * params.font_aspect))


def _cell_width(params: AsciiParams) -> int:
    return max(1, round(params.font_size * params.font_aspect))


def _sampled(source: Source, params: AsciiParams, rows: int) -> tuple[Array, Array | None]:
    """Grey values, one a cell or 4 × 2 a cell for braille, and the colour of each cell if wanted."""
    width, height = params.columns, rows
    if params.charset == "braille":
        width, height = 2 * width, 4 * height
    if params.color == "none":
        return _scale.shrunk(source.gray(min_width=width, min_height=height), width, height), None
    image = _scale.shrunk(source.rgb(min_width=width, min_height=height), width, height)
    colours = _scale.shrunk(image, params.columns, rows)
    if params.color == "foreground" and params.background == "dark":
        colours = _brightened(colours)
    return _tone.luma(image, _tone.REC601), colours


def _brightened(colours: Array) -> Array:
    """Each colour as bright as its hue and saturation go, at most 4 times: on dark paper the characters' ink
    gives the tone, and a dark colour would count twice."""
    strongest = np.maximum(colours.max(axis=-1, keepdims=True), 64).astype(np.uint16)
    return (colours * np.uint16(255) // strongest).astype(np.uint8)


def _chosen(gray: Array, params: AsciiParams) -> tuple[str, NDArray[np.intp]]:
    """The characters in use, and for each cell the index of its own."""
    darker_is_more = params.background == "light"
    ink = _tone.toned(gray, params.contrast, params.invert != darker_is_more)
    if params.charset == "braille":
        return _glyphs.BRAILLE, _braille(ink)
    if params.charset == "custom":
        return params.characters, ink.astype(np.intp) * len(params.characters) // 256
    chars = _glyphs.by_ink(_CHARSETS[params.charset])
    return chars, _by_ink_table(chars)[ink]


def _braille(ink: Array) -> NDArray[np.intp]:
    """`(4h, 2w)` values to `(h, w)` patterns, dithered so that every tone shows."""
    dots = _dither.floyd_steinberg(ink) & 1
    height, width = dots.shape[0] // 4, dots.shape[1] // 2
    cells = dots.reshape(height, 4, width, 2) * _glyphs.BRAILLE_BITS[:, None, :]
    return cells.sum(axis=(1, 3), dtype=np.intp)


@lru_cache(maxsize=8)
def _by_ink_table(chars: str) -> NDArray[np.intp]:
    """`(256,)`: for each value the character whose ink, as a part of the densest one's, is nearest."""
    share = _glyphs.ink(chars)
    share = (share - share[0]) / (share[-1] - share[0])
    return np.abs(share[None, :] - np.arange(256)[:, None] / 255).argmin(axis=1)


def _page(grid: NDArray[np.str_], lines: list[str], colours: Array | None, params: AsciiParams) -> str:
    if colours is None:
        body = _asciihtml.plain(lines)
    else:
        body = _asciihtml.coloured(grid, colours, params.color == "background")
    paper, ink = ("#{:02x}{:02x}{:02x}".format(*c) for c in _COLOURS[params.background])
    return _asciihtml.page(body, paper, ink, params.font_aspect)


def _picture(
    chars: str, indices: NDArray[np.intp], colours: Array | None, params: AsciiParams
) -> Array | Encoded:
    """The characters drawn: with soft edges between paper and ink, or in the cells' colours."""
    shapes = _glyphs.atlas(chars, _cell_width(params), params.font_size)
    levels = ((shapes.astype(np.int32) * (_LEVELS - 1) + 127) // 255).astype(np.uint8)
    if colours is None:
        paper, ink = (np.array(c, np.int32) for c in _COLOURS[params.background])
        mix = np.arange(_LEVELS)[:, None]
        palette = ((paper * (_LEVELS - 1 - mix) + ink * mix + 7) // (_LEVELS - 1)).astype(np.uint8)
        image = _tiled(levels, indices)
        return _png.encode_indexed(image, palette) if params.format in ("auto", "png") else palette[image]
    image = _coloured(levels, indices, colours, params)
    return _png.encode_drawn(image) if params.format in ("auto", "png") else image


def _tiled(shapes: Array, indices: NDArray[np.intp]) -> Array:
    """`(k, ch, cw)` shapes laid out by `(h, w)` indices: `(h * ch, w * cw)`."""
    height, width = indices.shape
    _, down, across = shapes.shape
    return shapes[indices].transpose(0, 2, 1, 3).reshape(height * down, width * across)


def _coloured(levels: Array, indices: NDArray[np.intp], colours: Array, params: AsciiParams) -> Array:
    """`(h * ch, w * cw, 3)` RGB: each cell blends its two colours by the levels of its character's shape."""
    behind = np.broadcast_to(np.array(_COLOURS[params.background][0], np.int32), colours.shape)
    front = colours.astype(np.int32)
    if params.color == "background":
        behind, front = front, np.where(_asciihtml.dark_ink(colours)[..., None], 0, 255)
    mix = np.arange(_LEVELS)[:, None]
    steps = (behind[:, :, None] * (_LEVELS - 1 - mix) + front[:, :, None] * mix + 7) // (_LEVELS - 1)
    packed = np.zeros((*colours.shape[:2], _LEVELS, 4), np.uint8)  # a pixel is one word: quick to look up
    packed[..., :3] = steps
    words = packed.view(np.uint32)[..., 0]
    height, width = indices.shape
    _, down, across = levels.shape
    out = np.empty((height * down, width * across, 3), np.uint8)
    first = np.arange(width)[:, None, None] * _LEVELS
    wide = levels.astype(np.intp)
    for row in range(height):
        places = (wide[indices[row]] + first).transpose(1, 0, 2)  # (ch, w, cw)
        pixels = words[row].take(places).reshape(down, width * across, 1).view(np.uint8)
        out[row * down : (row + 1) * down] = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
    return out
