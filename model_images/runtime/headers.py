"""Reads what a file's first bytes tell, and refuses what is over a limit before anything is decoded.

The format is told by content, never by name. Codes of refusal: `empty`, `too_large` (bytes),
`unsupported_type`, `too_many_pixels`, `animated` (more than one frame or page), `truncated`, `corrupt`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from model_images.runtime.contract import BadImage, Header

Format = Literal["jpeg", "png", "tiff", "webp"]

_ORIENTATION = 274  # the EXIF and TIFF tag
_SUBFILE_TYPE = 254  # TIFF: bit 0 set says "a smaller version of another image in this file"
_PLUGINS: dict[Format, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "tiff": TiffImageFile,
    "webp": WebPImageFile,
}
_OTHERS = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "icon"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"<?xml", "SVG or XML"),
    (b"<svg", "SVG"),
)


@dataclass(frozen=True)
class ImageLimits:
    """`max_pixels` is width × height, `max_bytes` the length of the file."""

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000


DEFAULT_LIMITS = ImageLimits()


def read_header(source: bytes | Path, limits: ImageLimits = DEFAULT_LIMITS) -> Header:
    """Size as seen (after orientation), format, alpha. Raises BadImage; decodes nothing."""
    if isinstance(source, Path):
        if (size := source.stat().st_size) > limits.max_bytes:
            raise _too_large(size, limits)
        source = source.read_bytes()
    return inspect(source, limits)[0]


def inspect(data: bytes, limits: ImageLimits) -> tuple[Header, ImageFile.ImageFile]:
    """The header, and Pillow's view of the file, opened and not loaded."""
    if not data:
        raise BadImage("empty", "The file is empty.")
    if len(data) > limits.max_bytes:
        raise _too_large(len(data), limits)
    kind = sniff(data)
    try:
        if kind == "png":
            _check_png(data)
        elif kind == "webp":
            _check_webp(data, limits)
        opened = _PLUGINS[kind](io.BytesIO(data))
        _check_pixels(opened.width, opened.height, limits)
        if isinstance(opened, TiffImageFile):
            _check_pages(opened)
        orientation = _orientation(opened, data, kind)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # a parser fed with garbage raises anything
        raise _broken(data, kind) from error
    width, height = opened.size
    if orientation >= 5 and kind != "tiff":  # Pillow has turned a TIFF's size already
        width, height = height, width
    alpha = opened.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in opened.info
    return Header(kind, width, height, orientation, alpha), opened


def sniff(data: bytes) -> Format:
    """The format by its first bytes. Raises BadImage `unsupported_type`, naming the type where it is
    known."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    name = next((name for magic, name in _OTHERS if data.startswith(magic)), None)
    if data[4:8] == b"ftyp":
        name = "AVIF" if data[8:11] == b"avi" else "HEIC" if data[8:10] in (b"he", b"mi") else "video"
    what = f"This is a {name} file" if name else "This is no image that we know"
    raise BadImage("unsupported_type", f"{what}; JPEG, PNG, TIFF and WebP can be used.")


def is_cut(data: bytes, kind: Format) -> bool:
    """Whether the end of the file is missing, as far as that shows without decoding."""
    if kind == "jpeg":
        return b"\xff\xd9" not in data[-65536:]
    if kind == "png":
        return b"IEND" not in data[-65536:]
    if kind == "webp":
        return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
    return _tiff_points_beyond(data)


def truncated() -> BadImage:
    return BadImage("truncated", "The end of the file is missing; upload it again.")


def corrupt() -> BadImage:
    return BadImage("corrupt", "The file is damaged and can't be read.")


def _too_large(size: int, limits: ImageLimits) -> BadImage:
    return BadImage(
        "too_large", f"The file has {size / 1e6:.1f} MB; at most {limits.max_bytes / 1e6:g} MB can be used."
    )


def _broken(data: bytes, kind: Format) -> BadImage:
    return truncated() if is_cut(data, kind) else corrupt()


def _check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    if width < 1 or height < 1:
        raise corrupt()
    if width * height > limits.max_pixels:
        raise BadImage(
            "too_many_pixels",
            f"The image has {width} × {height} pixels, {width * height / 1e6:.1f} million; "
            f"at most {limits.max_pixels / 1e6:g} million can be used.",
        )


def _animated(count: int, what: str) -> BadImage:
    return BadImage("animated", f"The file has {count} {what}; only single images can be used.")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and length of each chunk. Raises BadImage `truncated` when one runs beyond the end."""
    at = 8
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            raise truncated()
        yield name, at + 8, length
        if name == b"IEND":
            return
        at += 12 + length
    raise truncated()


def _check_png(data: bytes) -> None:
    for name, start, _ in _png_chunks(data):
        if name == b"acTL" and (count := int.from_bytes(data[start : start + 4], "big")) > 1:
            raise _animated(count, "frames")


def _check_webp(data: bytes, limits: ImageLimits) -> None:
    """Opening a WebP allocates its canvas, so its size is read here first."""
    if is_cut(data, "webp") or len(data) < 30:
        raise truncated()
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
        if body[0] & 0x02 and (count := data.count(b"ANMF")) > 1:
            raise _animated(count, "frames")
    elif chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    else:
        raise corrupt()
    _check_pixels(width, height, limits)


def _check_pages(opened: TiffImageFile) -> None:
    """One page, besides smaller versions of it, which some cameras and editors add."""
    pages = frame = 1
    try:
        while pages < 3 and frame < 10:
            opened.seek(frame)
            pages += not int(opened.tag_v2.get(_SUBFILE_TYPE, 0)) & 1
            frame += 1
    except EOFError:
        pass
    opened.seek(0)
    if pages > 1:
        raise BadImage("animated", "The file has more than one page; only single images can be used.")


def _orientation(opened: ImageFile.ImageFile, data: bytes, kind: Format) -> int:
    if kind == "png":  # Pillow would decode the whole image to find an eXIf chunk behind the pixels
        chunk = next(((s, n) for name, s, n in _png_chunks(data) if name == b"eXIf"), None)
        exif = Image.Exif()
        if chunk:
            exif.load(data[chunk[0] : chunk[0] + chunk[1]])
        value = exif.get(_ORIENTATION, 1)
    elif isinstance(opened, TiffImageFile):
        value = opened.tag_v2.get(_ORIENTATION, 1)
    else:
        value = opened.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _tiff_points_beyond(data: bytes) -> bool:
    """Whether the first directory, or one of its strips or tiles, lies beyond the end of the file."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    if data[2:4] in (b"+\0", b"\0+"):
        start = int.from_bytes(data[8:16], order)
    else:
        start = int.from_bytes(data[4:8], order)
    if start + 2 > len(data):
        return True
    try:
        tags = TiffImageFile(io.BytesIO(data)).tag_v2
        for offsets, counts in ((273, 279), (324, 325)):
            pairs = zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
            if any(offset + count > len(data) for offset, count in pairs):
                return True
    except Exception:  # too little is left of it to tell
        return True
    return False
