"""JPEG segments. Source: ITU-T T.81 annex B; Adobe's XMP part 3 for the application segments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from apps.drive.metadata import exif, places

_SOI, _EOI, _SOS, _COM, _APP0, _APP15 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xEF
_APP1, _APP2, _APP13, _APP14 = 0xE1, 0xE2, 0xED, 0xEE
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
# In entropy-coded data: a marker that is neither a stuffed zero, nor a restart, nor fill.
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"

Segment = tuple[int, int, int]  # marker, start, end; a scan belongs to its SOS


def segments(data: bytes) -> Iterator[Segment]:
    """In order, up to and with EOI. Ends early when the data does; garbage between segments is skipped,
    as decoders do."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            return
        while data[at + 1 : at + 2] == b"\xff":  # fill
            at += 1
        if at + 1 >= len(data):
            return
        marker = data[at + 1]
        if marker == _EOI:
            yield marker, at, at + 2
            return
        if marker == 0 or marker == _SOI or marker in _ALONE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + max(length, 2)
        if end > len(data):
            return
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            end = found.end() - 2 if found else len(data)
        yield marker, at, end
        at = end


def is_complete(data: bytes) -> bool:
    return any(marker == _EOI for marker, _, _ in segments(data))


def strip(data: bytes) -> bytes:
    """Without the place, and without what follows the picture."""
    out = [data[:2]]
    had_exif = False
    for marker, start, end in segments(data):
        segment = data[start:end]
        if marker == _APP1 and segment[4:].startswith(exif.PREFIX):
            # A second one continues the first beyond 64 kB; what it holds can't be followed.
            segment = b"" if had_exif else _app1(exif.strip(segment[4:]))
            had_exif = True
        elif not _stays(marker, segment[4:]):
            segment = b""
        out.append(segment)
    return b"".join(out)


def _app1(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body if body else b""


def _stays(marker: int, body: bytes) -> bool:
    if marker == _COM:
        return not places.in_text(body)
    if not _APP0 <= marker <= _APP15:
        return True
    if marker == _APP0:
        return body.startswith((b"JFIF\0", b"JFXX\0"))
    if marker == _APP1:
        return body.startswith(_XMP) and not places.in_text(body[len(_XMP) :])
    if marker == _APP2:
        return body.startswith(b"ICC_PROFILE\0")
    if marker == _APP13:
        return body.startswith(b"Photoshop 3.0\0") and not places.in_photoshop(body)
    return marker == _APP14  # Adobe's: how colours are to be read
