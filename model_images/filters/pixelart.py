"""Pixel art: a photo as a small picture with few colours, shown large again in sharp blocks.

Area mean → palette by k-means in OKLab on the small picture (or a given one) → nearest colour, dithered or
not → blocks. A JPEG is decoded at up to 1/8, because a block's mean is all that is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from model_images.filters import _dither, _palettes, _png, _scale
from model_images.filters._oklab import nearest, oklab
from model_images.runtime.contract import (
    Array,
    BadImage,
    Context,
    Encoded,
    Header,
    ImageParams,
    Processor,
    Result,
    Source,
)

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Sizes = NDArray[np.int64]
_SAMPLE_SIDE = 64  # of each photo of a folder, for one shared palette


class PixelArtParams(ImageParams):
    block_size: int = Field(
        8, ge=2, le=64, description="Side of a block, in pixels of the photo", examples=[12]
    )
    width: int = Field(
        0,
        ge=0,
        le=1024,
        description="Blocks from left to right; 0 goes by the block size instead",
        examples=[160],
        title="Blocks across",
    )
    palette: Literal["auto", "gameboy", "pico8", "c64", "cga", "nes", "own"] = Field(
        "auto",
        description="Where the colours come from: the photo, an old machine, or your own list",
        examples=["pico8"],
        json_schema_extra={
            "x-labels": {
                "auto": "From the photo",
                "gameboy": "Game Boy",
                "pico8": "PICO-8",
                "c64": "Commodore 64",
                "cga": "CGA",
                "nes": "NES",
                "own": "Own colours",
            }
        },
    )
    palette_size: int = Field(
        16,
        ge=2,
        le=256,
        description="How many colours to find in the photo (palette: auto)",
        examples=[8],
        title="Colours",
        json_schema_extra={"x-show-if": {"palette": ["auto"]}},
    )
    colors: tuple[Colour, ...] = Field(
        (),
        max_length=256,
        validate_default=True,
        description="Your colours as #rrggbb, 2 to 256 of them (palette: own)",
        examples=[["#1b1b3a", "#f4d35e", "#ee964b"]],
        title="Your colours",
        json_schema_extra={"x-show-if": {"palette": ["own"]}},
    )
    dither: Literal["none", "bayer", "floyd_steinberg", "atkinson"] = Field(
        "none",
        description="How to mix colours that the palette lacks",
        examples=["bayer"],
        json_schema_extra={"x-labels": {"floyd_steinberg": "Floyd–Steinberg"}},
    )
    dither_strength: float = Field(
        0.5,
        ge=0,
        le=1,
        description="How far Bayer dithering may shift a colour",
        examples=[0.3],
        json_schema_extra={"x-show-if": {"dither": ["bayer"]}},
    )
    upscale: bool = Field(
        True,
        description="Show each block at its size in the photo; off gives one pixel a block",
        examples=[False],
    )
    shared_palette: bool = Field(
        False,
        description="Use one palette for all photos of a folder (palette: auto)",
        examples=[True],
        title="One palette for the folder",
        json_schema_extra={"x-show-if": {"palette": ["auto"]}},
    )

    @field_validator("colors")
    @classmethod
    def _are_enough(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        distinct = tuple(dict.fromkeys(value.lower() for value in values))
        if info.data.get("palette") == "own" and len(distinct) < 2:
            raise ValueError("give at least two different colours, such as #1b1b3a and #f4d35e")
        return distinct


class PixelArt(Processor[PixelArtParams]):
    """Blocks of few colours. Image as PNG (one byte a pixel or less) unless another format is asked for;
    data: `{"palette": ["#rrggbb", ...], "width": blocks across, "height": blocks down}`.

    >>> PixelArtParams(block_size=12, palette="gameboy", dither="bayer").palette
    'gameboy'
    """

    name = "pixelart"
    title = "Pixel art"
    summary = "Turns a photo into blocks of few colours, with the palette of an old machine or its own."
    kind = "filter"
    version = "1"
    outputs = ("image", "data")
    Params = PixelArtParams
    seconds_per_megapixel = 0.006

    def process(self, source: Source, params: PixelArtParams, context: Context) -> Result:
        widths, heights = _grid(source.header, params)
        small = _small(source, params, len(widths), len(heights))
        palette = _palette(small, params, context.shared or {})
        indices = _indexed(small, palette, params)
        data = {"palette": _palettes.as_hex(palette), "width": len(widths), "height": len(heights)}
        if not params.upscale:
            widths, heights = np.ones_like(widths), np.ones_like(heights)
        return Result(image=_image(indices, palette, widths, heights, params), data=data, prefer="png")

    def fit(self, sources: Sequence[Source], params: PixelArtParams) -> Mapping[str, Any] | None:
        """One palette for the folder, from equal parts of each photo; unreadable ones are left out."""
        if not params.shared_palette or params.palette != "auto":
            return None
        parts = []
        for source in sources:
            try:
                image = source.rgb(min_width=_SAMPLE_SIDE, min_height=_SAMPLE_SIDE)
            except BadImage:
                continue
            parts.append(_scale.shrunk(image, _SAMPLE_SIDE, _SAMPLE_SIDE).reshape(-1, 3))
        if not parts:
            return None
        return {"palette": _palettes.as_hex(_palettes.found_in(np.concatenate(parts), params.palette_size))}

    def output_pixels(self, header: Header, params: PixelArtParams) -> int:
        if params.upscale:
            return header.pixels
        widths, heights = _grid(header, params)
        return len(widths) * len(heights)


def _grid(header: Header, params: PixelArtParams) -> tuple[Sizes, Sizes]:
    """How many of the photo's pixels each column and each row of blocks covers."""
    if not params.width:
        return _scale.blocks(header.width, params.block_size), _scale.blocks(header.height, params.block_size)
    across = min(params.width, header.width)
    down = min(header.height, max(1, round(header.height * across / header.width)))
    return _scale.cells(header.width, across), _scale.cells(header.height, down)


def _small(source: Source, params: PixelArtParams, across: int, down: int) -> Array:
    """`(down, across, 3)`: the mean colour of each block."""
    header = source.header
    if params.width:
        image = source.rgb(min_width=min(4 * across, header.width), min_height=min(4 * down, header.height))
        return _scale.shrunk(image, across, down)
    block = params.block_size
    step = next((r for r in _scale.REDUCTIONS if block % r == 0 or block >= 4 * r), 1)
    image = source.rgb(min_width=-(-header.width // step), min_height=-(-header.height // step))
    scale = header.width / image.shape[1]
    step = min((1, *_scale.REDUCTIONS), key=lambda r: abs(r - scale))  # what it was really decoded to
    image = _scale.padded(image, round(across * block / step), round(down * block / step))
    return _scale.shrunk(image, across, down)


def _palette(small: Array, params: PixelArtParams, shared: Mapping[str, Any]) -> Array:
    if params.palette == "own":
        return _palettes.parse(params.colors)
    if params.palette != "auto":
        return _palettes.named(params.palette)
    if params.shared_palette and shared.get("palette"):
        return _palettes.parse(shared["palette"])
    return _palettes.found_in(small.reshape(-1, 3), params.palette_size)


def _indexed(small: Array, palette: Array, params: PixelArtParams) -> Array:
    """`(h, w)` index of the palette's colour for each block; nearest by OKLab."""
    centres = oklab(palette)

    def pick(values: NDArray[np.int16]) -> tuple[Array, NDArray[np.int16]]:
        found = nearest(oklab(values.astype(np.uint8)), centres)
        return found.astype(np.uint8), palette[found].astype(np.int16)

    if params.dither in _dither.KERNELS:
        return _dither.diffuse(small, pick, _dither.KERNELS[params.dither])
    if params.dither == "bayer":
        small = _dither.bayer_shifted(small, 4, round(params.dither_strength * 128))
    return nearest(oklab(small).reshape(-1, 3), centres).astype(np.uint8).reshape(small.shape[:2])


def _image(
    indices: Array, palette: Array, widths: Sizes, heights: Sizes, params: PixelArtParams
) -> Array | Encoded:
    if params.format in ("auto", "png"):
        return _png.encode_indexed(np.repeat(indices, widths, axis=1), palette, heights)
    return _scale.enlarged(palette[indices], widths, heights)
