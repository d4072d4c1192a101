"""What a file's structure tells without decoding: is it all there, and which way up is it."""

from __future__ import annotations

from apps.drive.metadata import jpeg, png, tiff, webp
from apps.drive.metadata.exif import orientation

_IS_COMPLETE = {
    "jpeg": jpeg.is_complete,
    "png": png.is_complete,
    "tiff": tiff.is_complete,
    "webp": webp.is_complete,
}


def is_complete(data: bytes, format: str) -> bool:
    """False if the file ends before its own structure says so."""
    return _IS_COMPLETE[format](data)


__all__ = ["is_complete", "orientation"]
