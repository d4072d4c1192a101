"""Writes PNG files with few colours: 1, 2, 4 or 8 bits a pixel, much smaller and quicker than RGB.

Source: PNG specification, third edition (W3C), sections 7 and 11. A row that repeats the one above is
written with the filter `up`, that is as zeros, which deflate takes almost for nothing.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from model_images.runtime.contract import Array, Encoded

_NO_FILTER, _UP = 0, 2
_PALETTE = 3


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
    header = struct.pack(">IIBBBBB", width, height, bits, _PALETTE, 0, 0, 0)
    data = b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", np.ascontiguousarray(palette, np.uint8).tobytes()),
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
