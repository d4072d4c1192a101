"""Drops the colour of a JPEG without decoding it: its Y plane is the Rec. 601 luma, so nothing is lost.

Uses TurboJPEG's lossless transform (`libturbojpeg.so.0`, Debian's libturbojpeg0, libjpeg-turbo 2 or 3) where
the system has it, through ctypes. Everything it declines — no library, not YCbCr, progressive, cut short,
damaged, sides that can't be turned without loss — comes back as None, and the caller decodes instead.
Source: turbojpeg.h and its documentation, "TurboJPEG API 2.1".
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# tjtransform operations by EXIF orientation (EXIF 2.32, tag 274): what makes the photo upright.
_UPRIGHT = {1: 0, 2: 1, 3: 6, 4: 2, 5: 3, 6: 5, 7: 4, 8: 7}
_NAME = "libturbojpeg.so.0" if sys.platform.startswith("linux") else "libturbojpeg.0.dylib"
_PERFECT, _GRAY, _COPYNONE = 1, 8, 64
_STOPONWARNING, _LIMITSCANS = 8192, 32768
_YCBCR, _GRAYSCALE = 1, 2


class _Transform(ctypes.Structure):
    """`tjtransform`: region (unused without cropping), operation, options, custom filter (none)."""

    _fields_ = [
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("w", ctypes.c_int),
        ("h", ctypes.c_int),
        ("op", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("custom_filter", ctypes.c_void_p),
    ]


@cache
def _library() -> Any | None:
    """TurboJPEG with its argument types set, or None where it can't be used."""
    try:
        lib = ctypes.CDLL(_NAME)
        lib.tjInitTransform.restype = ctypes.c_void_p
        lib.tjInitTransform.argtypes = []
        lib.tjDestroy.argtypes = [ctypes.c_void_p]
        lib.tjFree.argtypes = [ctypes.c_void_p]
        lib.tjFree.restype = None
        ints = ctypes.POINTER(ctypes.c_int)
        lib.tjDecompressHeader3.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong, ints, ints, ints, ints,
        ]  # fmt: skip
        lib.tjTransform.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p),
            ctypes.POINTER(ctypes.c_ulong), ctypes.POINTER(_Transform), ctypes.c_int,
        ]  # fmt: skip
        lib.tjGetErrorCode.argtypes = [ctypes.c_void_p]  # since 2.0, as are the flags used here
    except (OSError, AttributeError):
        return None
    return lib


def is_available() -> bool:
    """Whether this machine has TurboJPEG. Photos are grey either way, but their bytes differ."""
    return _library() is not None


def available() -> bool:
    """Whether this machine has TurboJPEG. Asked once at import: a worker locks itself in afterwards."""
    return _library() is not None


def grayscale(data: bytes, orientation: int = 1) -> bytes | None:
    """A JPEG as an upright grey JPEG with the same Y coefficients and no metadata, or None."""
    lib = _library()
    if lib is None or orientation not in _UPRIGHT:
        return None
    handle = lib.tjInitTransform()
    if not handle:
        return None
    try:
        return _transform(lib, handle, data, _UPRIGHT[orientation])
    finally:
        lib.tjDestroy(handle)


def _transform(lib: Any, handle: int, data: bytes, op: int) -> bytes | None:
    width, height, sampling, colours = (ctypes.c_int() for _ in range(4))
    if lib.tjDecompressHeader3(handle, data, len(data), width, height, sampling, colours):
        return None
    if colours.value not in (_YCBCR, _GRAYSCALE):
        return None
    wanted = _Transform(op=op, options=_PERFECT | _GRAY | _COPYNONE)
    out, size = ctypes.c_void_p(), ctypes.c_ulong()
    flags = _STOPONWARNING | _LIMITSCANS
    failed = lib.tjTransform(handle, data, len(data), 1, out, size, wanted, flags)
    try:
        return None if failed or not out.value else ctypes.string_at(out.value, size.value)
    finally:
        if out.value:
            lib.tjFree(out)


def quality(data: bytes) -> int | None:
    """The quality (1–100) whose luminance table is nearest to the file's, or None if none is found.

    Source: the scaling of ITU-T T.81 table K.1 in libjpeg's `jpeg_quality_scaling`; only the sum of the
    table is compared, which falls as quality rises.
    """
    total = _table_sum(data)
    if total is None:
        return None
    return min(range(1, 101), key=lambda q: (abs(_sum_at(q) - total), -q))


_K1 = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@cache
def _sum_at(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (value * scale + 50) // 100)) for value in _K1)


def _table_sum(data: bytes) -> int | None:
    """The sum of quantisation table 0, read from the DQT segments before the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xDA or length < 2:
            return None
        if kind == 0xDB:
            body = data[at + 4 : at + 2 + length]
            while body:
                wide, number = body[0] >> 4, body[0] & 15
                size = 128 if wide else 64
                if len(body) < 1 + size:
                    return None
                if number == 0:
                    values = body[1 : 1 + size]
                    return sum(values) if not wide else sum(values[1::2]) + 256 * sum(values[::2])
                body = body[1 + size :]
        at += 2 + length
    return None


available()
