"""EXIF blobs as they stand in JPEG, PNG and WebP."""

from __future__ import annotations

from apps.drive.metadata import tiff

PREFIX = b"Exif\0\0"


def orientation(blob: bytes) -> int:
    """1 to 8; with or without the prefix. 1 if nothing can be read."""
    value = tiff.orientation(blob.removeprefix(PREFIX))
    return value if 1 <= value <= 8 else 1


def strip(blob: bytes) -> bytes:
    """Without the place, prefix kept. If it can't be followed: its orientation alone, or nothing."""
    prefix = PREFIX if blob.startswith(PREFIX) else b""
    try:
        return prefix + tiff.strip(blob[len(prefix) :], is_file=False)
    except tiff.Malformed:
        turned = orientation(blob)
        return prefix + tiff.only_orientation(turned) if turned != 1 else b""
