"""Take the place out of a photo: `strip_location(data, format)`, without touching a pixel.

What goes
    EXIF          the GPS directory; the maker note, which is opaque and holds places and serial numbers
    TIFF tags     the same, and GeoTIFF's
    XMP, IPTC     the whole packet, if it says anything about a place
    extra images  whatever follows the photo in its file (depth maps, motion clips), with their own GPS
    the rest      private segments and chunks whose content can't be known
What stays
    pixels bit for bit, orientation, colour profile, camera, lens, exposure, dates, captions, copyright

Files are rewritten in their container's own structure; nothing is decoded or encoded. EXIF is changed in
place, so that no offset in it moves.
"""

from __future__ import annotations

import io

from PIL import Image

from apps.drive.broken import BROKEN
from apps.drive.metadata import jpeg, png, tiff, webp

_MOST_PIXELS = 200_000_000  # beyond what is ever kept: the header of a broken file can say anything
_STRIP = {"jpeg": jpeg.strip, "png": png.strip, "tiff": tiff.strip, "webp": webp.strip}


def strip_location(data: bytes, format: str) -> bytes:
    """`data` without anything that tells where it was made. `format` as in `Image.format`.

    Data that is no image of that format gives what is left of it, possibly nothing.
    """
    try:
        return _STRIP[format](data)
    except tiff.Malformed:
        return _rewritten(data) if format == "tiff" else b""


def _rewritten(data: bytes) -> bytes:
    """A TIFF whose tags can't be followed but whose pixels Pillow can read: the pixels alone."""
    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                return b""
            Image.frombytes(image.mode, image.size, image.tobytes()).save(out, "TIFF", compression="tiff_lzw")
    except BROKEN:
        return b""
    return out.getvalue()
