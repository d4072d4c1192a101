"""Mosaic: a photo put together from small pictures, or from plain blocks.

Each cell of the photo and each tile becomes a grid of mean colours in CIE Lab (OpenCV's 8-bit Lab, D65), and
a cell gets the tile whose grid is nearest. A JPEG is decoded only as large as those grids need.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from model_images.filters import _assign, _scale, _tileindex, _tiles
from model_images.runtime.contract import (
    Array,
    BadParams,
    Context,
    Header,
    ImageParams,
    Processor,
    Result,
    Source,
)

_FEW_TILES = 2
_STRIP = 256  # tiles measured at a time


class MosaicParams(ImageParams):
    style: Literal["photomosaic", "blocks"] = Field(
        "photomosaic", description="Small pictures, or plain blocks of one colour", examples=["blocks"]
    )
    columns: int = Field(100, ge=10, le=400, description="Cells from left to right", examples=[60])
    tile_px: int = Field(
        32,
        ge=8,
        le=128,
        description="Side of a tile in the result, in pixels (photomosaic)",
        examples=[48],
        title="Tile size",
        json_schema_extra={"x-show-if": {"style": ["photomosaic"]}},
    )
    tile_folder: str = Field(
        "",
        max_length=64,
        description="Folder whose photos are the tiles, 2,000 at most; empty: built-in tiles (photomosaic)",
        examples=["0b9d4f6c8a1e4d53"],
        title="Tiles",
        json_schema_extra={
            "x-asset": "folder",
            "x-empty": "Built-in tiles",
            "x-show-if": {"style": ["photomosaic"]},
        },
    )
    match_grid: int = Field(
        3,
        ge=1,
        le=5,
        description="Parts of a cell compared, a side; 1 looks at the mean colour only (photomosaic)",
        examples=[2],
        json_schema_extra={"x-group": "Matching", "x-show-if": {"style": ["photomosaic"]}},
    )
    min_distance: int = Field(
        2,
        ge=0,
        le=6,
        description="No tile again within so many cells, as far as there are tiles enough (photomosaic)",
        examples=[4],
        title="Distance between equal tiles",
        json_schema_extra={"x-group": "Matching", "x-show-if": {"style": ["photomosaic"]}},
    )
    max_uses: int = Field(
        0,
        ge=0,
        le=10000,
        description="How often a tile may be used; 0 is no limit (photomosaic)",
        examples=[40],
        title="Uses of a tile",
        json_schema_extra={"x-group": "Matching", "x-show-if": {"style": ["photomosaic"]}},
    )
    tint: float = Field(
        0.25,
        ge=0,
        le=1,
        description="How far tiles take on the colour of their cell (photomosaic)",
        examples=[0.4],
        json_schema_extra={"x-show-if": {"style": ["photomosaic"]}},
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Order in which cells choose, when tiles are limited (photomosaic)",
        examples=[7],
        json_schema_extra={"x-group": "Matching", "x-show-if": {"style": ["photomosaic"]}},
    )


class Mosaic(Processor[MosaicParams]):
    """Image, and as data `{"columns", "rows"}`, for a photomosaic also `"tiles"` (how many to choose from),
    `"used"` (how many are in the picture), `"most_uses"` (of one tile) and `"min_distance"` (as kept).

    >>> MosaicParams(columns=60, tile_px=48, tint=0.4).style
    'photomosaic'
    """

    name = "mosaic"
    title = "Mosaic"
    summary = "Rebuilds a photo from hundreds of small pictures, your own if you like, or from plain blocks."
    kind = "filter"
    version = "1"
    outputs = ("image", "data")
    Params = MosaicParams
    seconds_per_megapixel = 0.01

    def process(self, source: Source, params: MosaicParams, context: Context) -> Result:
        columns, rows = _grid(source.header, params)
        if params.style == "blocks":
            return _blocks(source, columns, rows)
        tiles = _tile_set(params, context)
        _check_uses(params, columns * rows, len(tiles))
        side = params.match_grid
        target = _scale.shrunk(
            source.rgb(min_width=columns * side, min_height=rows * side), columns * side, rows * side
        )
        distance = _assign.feasible_distance(len(tiles), params.min_distance)
        chosen = _assign.assign(
            _cell_features(target, side), _tile_features(tiles, side), distance, params.max_uses, params.seed
        )
        uses = np.bincount(chosen.ravel(), minlength=len(tiles))
        data = {
            "columns": columns,
            "rows": rows,
            "tiles": len(tiles),
            "used": int((uses > 0).sum()),
            "most_uses": int(uses.max()),
            "min_distance": distance,
        }
        means = _scale.shrunk(target, columns, rows)
        return Result(image=_composed(tiles, chosen, means, params.tint), data=data)

    def output_pixels(self, header: Header, params: MosaicParams) -> int:
        if params.style == "blocks":
            return header.pixels
        columns, rows = _grid(header, params)
        return columns * rows * params.tile_px**2


def _grid(header: Header, params: MosaicParams) -> tuple[int, int]:
    columns = params.columns
    if params.style == "blocks":
        columns = min(columns, header.width)
        return columns, min(header.height, max(1, round(columns * header.height / header.width)))
    return columns, max(1, round(columns * header.height / header.width))


def _blocks(source: Source, columns: int, rows: int) -> Result:
    header = source.header
    image = source.rgb(min_width=min(2 * columns, header.width), min_height=min(2 * rows, header.height))
    widths, heights = _scale.cells(header.width, columns), _scale.cells(header.height, rows)
    image = _scale.enlarged(_scale.shrunk(image, columns, rows), widths, heights)
    return Result(image=image, data={"columns": columns, "rows": rows})


def _tile_set(params: MosaicParams, context: Context) -> Array:
    if not params.tile_folder:
        return _tiles.built_in(params.tile_px)
    files = context.assets.get("tile_folder", ())
    tiles = _tileindex.tiles_of(files, params.tile_px, context.cache_dir)
    if len(tiles) < _FEW_TILES:
        text = f"the folder has {len(tiles)} photos that can be read; a mosaic needs at least {_FEW_TILES}"
        raise BadParams(f"The tiles can't be used: {text}.", {"tile_folder": [text]})
    return tiles


def _check_uses(params: MosaicParams, cells: int, tiles: int) -> None:
    if params.max_uses and params.max_uses * tiles < cells:
        least = -(-cells // tiles)
        text = f"{tiles} tiles must cover {cells} cells: allow at least {least} uses, or fewer columns"
        raise BadParams(f"The tiles don't suffice: {text}.", {"max_uses": [text]})


def _lab(image: Array) -> Array:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)


def _cell_features(target: Array, side: int) -> _assign.Features:
    """`(rows * side, columns * side, 3)` RGB to `(rows, columns, side * side * 3)`."""
    rows, columns = target.shape[0] // side, target.shape[1] // side
    parts = _lab(target).reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4)
    return parts.reshape(rows, columns, -1).astype(np.float32)


def _tile_features(tiles: Array, side: int) -> _assign.Features:
    """`(n, px, px, 3)` RGB to `(n, side * side * 3)`; tiles are stacked, so one resize does many."""
    count, px = tiles.shape[:2]
    out = np.empty((count, side * side * 3), np.float32)
    for at in range(0, count, _STRIP):
        part = tiles[at : at + _STRIP]
        stack = part.reshape(len(part) * px, px, 3)
        small = cv2.resize(stack, (side, len(part) * side), interpolation=cv2.INTER_AREA)
        out[at : at + len(part)] = _lab(small).reshape(len(part), -1)
    return out


def _composed(tiles: Array, chosen: _assign.Indices, means: Array, tint: float) -> Array:
    """The picture, a row of tiles at a time; `means` is `(rows, columns, 3)`, the colours to tint with.

    Both parts of the blend are scaled once, one rounded and one cut, so that their sum is 255 at most.
    """
    rows, columns = chosen.shape
    px = tiles.shape[1]
    share = np.uint16(round(tint * 256))
    if share:
        tiles = (tiles * (np.uint16(256) - share) + np.uint16(128) >> 8).astype(np.uint8)
        means = (means * share >> 8).astype(np.uint8)
    out = np.empty((rows * px, columns * px, 3), np.uint8)
    for row in range(rows):
        strip = out[row * px : (row + 1) * px]
        strip.reshape(px, columns, px, 3)[:] = tiles[chosen[row]].transpose(1, 0, 2, 3)
        if share:
            strip += np.repeat(means[row], px, axis=0)
    return out
