"""Does this text or record say where a photo was made? In doubt, yes."""

from __future__ import annotations

import re

_WORDS = re.compile(
    rb"gps|latitude|longitude|location|geotag|country|place|adr:|[<:\"'](geo|city|state)\b",
    re.IGNORECASE,
)
# IIM datasets of record 2: content location, city, sub-location, province, country.
_IPTC = re.compile(rb"\x1c\x02[\x1a\x1b\x5a\x5c\x5f\x64\x65]")
# Photoshop resources that hold a whole EXIF or XMP packet of their own.
_RESOURCES = re.compile(rb"8BIM\x04[\x22\x23\x24]")


def in_text(data: bytes) -> bool:
    """XMP, comments. UTF-16 and UTF-32 too."""
    return bool(_WORDS.search(data.replace(b"\0", b"")))


def in_iptc(data: bytes) -> bool:
    return bool(_IPTC.search(data))


def in_photoshop(data: bytes) -> bool:
    return in_iptc(data) or bool(_RESOURCES.search(data))
