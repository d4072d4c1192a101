"""Writes PNG files of what is drawn rather than photographed; few colours take 1, 2, 4 or 8 bits a pixel.

Source: PNG specification, third edition (W3C), sections 7 and 11. A row that repeats the one above is
written with the filter `up`, that is as zeros, which deflate takes almost for nothing.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from model_images.runtime.contract import Array, Encoded

_NO_FILTER, _UP = 0, 2
_RGB, _PALETTE = 2, 3


def encode_indexed(indices: Array, palette: Array, repeats: Array | None = None, level: int = 1) -> Encoded:
    """`(h, w)` indices into `(k, 3)` RGB, k at most 256, as a PNG.

    repeats: `(h,)` how often each row is written, for pictures made of blocks. level: of zlib, 1 to 9.
    """
    rows, width = indices.shape
    repeats = np.ones(rows, np.int64) if repeats is None else np.asarray(repeats, np.int64)
    height = int(repeats.sum())
    bits = next(b for b in (1, 2, 4, 8) if len(palette) <= 1 << b)
    packed = _pack(indices, bits)
    lines = np.zeros((height, 1 + packed.shape[1]), np.uint8)
    lines[:, 0] = _UP
    first = np.cumsum(repeats) - repeats
    written = repeats > 0
    lines[first[written], 0] = _NO_FILTER
    lines[first[written], 1:] = packed[written]
    chunks = _chunk(b"PLTE", np.ascontiguousarray(palette, np.uint8).tobytes())
    return _file(width, height, bits, _PALETTE, chunks, lines, level)


def encode_drawn(image: Array, level: int = 1) -> Encoded:
    """`(h, w, 3)` RGB with large even areas, such as text, as a PNG: without a filter, which would only hide
    that the same pixels come again."""
    height, width = image.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = image.reshape(height, 3 * width)
    return _file(width, height, 8, _RGB, b"", lines, level)


def _file(
    width: int, height: int, bits: int, colours: int, chunks: bytes, lines: Array, level: int
) -> Encoded:
    data = b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)),
            chunks,
            _chunk(b"IDAT", zlib.compress(lines, level)),
            _chunk(b"IEND", b""),
        )
    )
    return Encoded(data, "image/png", width, height)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _pack(indices: Array, bits: int) -> Array:
    """`(h, w)` to `(h, ceil(w * bits / 8))`, the leftmost pixel in the highest bits."""
    if bits == 8:
        return indices
    if bits == 1:
        return np.packbits(indices, axis=1)
    each = 8 // bits
    rows, width = indices.shape
    padded = np.zeros((rows, -(-width // each) * each), np.uint8)
    padded[:, :width] = indices
    packed = padded[:, ::each] << np.uint8(8 - bits)
    for i in range(1, each):
        packed |= padded[:, i::each] << np.uint8(8 - bits * (i + 1))
    return packed
