"""PNG chunks. Source: PNG specification, third edition."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from apps.drive.metadata import exif, places

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
# Ancillary chunks that say how pixels are shown, or when they were made. Unknown ones go.
_KNOWN = {
    *(b"cHRM", b"cICP", b"gAMA", b"iCCP", b"mDCV", b"cLLI", b"mDCv", b"cLLi", b"sBIT", b"sRGB"),
    *(b"bKGD", b"hIST", b"tRNS", b"pHYs", b"sPLT", b"tIME", b"acTL", b"fcTL", b"fdAT"),
}
_MOST_TEXT = 1 << 20  # bytes of a compressed text that are looked at; longer ones go


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(type, body, the chunk as it stands), up to and with IEND. Ends early when the data does."""
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        kind = data[at + 4 : at + 8]
        yield kind, data[at + 8 : end - 4], data[at:end]
        if kind == b"IEND":
            return
        at = end


def is_complete(data: bytes) -> bool:
    return any(kind == b"IEND" for kind, _, _ in chunks(data))


def strip(data: bytes) -> bytes:
    out = [data[: len(_SIGNATURE)]]
    for kind, body, chunk in chunks(data):
        if kind == b"eXIf":
            clean = exif.strip(body)
            out.append(_chunk(kind, clean) if clean else b"")
        elif _stays(kind, body):
            out.append(chunk)
    return b"".join(out)


def _stays(kind: bytes, body: bytes) -> bool:
    if kind in _TEXT:
        return not _tells_a_place(kind, body)
    critical = not kind[0] & 0x20
    return critical or kind in _KNOWN


def _tells_a_place(kind: bytes, body: bytes) -> bool:
    """In doubt yes: a text that is packed in a way of its own, or that does not unpack."""
    keyword, _, rest = body.partition(b"\0")
    if keyword.lower().startswith(b"raw profile type"):  # ImageMagick's: EXIF, XMP or IPTC as hex digits
        return True
    if kind == b"zTXt":
        text = _unpacked(rest[1:])
    elif kind == b"iTXt" and rest[:1] == b"\1":
        text = _unpacked(rest[2:].partition(b"\0")[2].partition(b"\0")[2])
    else:
        text = rest
    return text is None or places.in_text(keyword + b" " + text)


def _unpacked(data: bytes) -> bytes | None:
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(data, _MOST_TEXT)
    except zlib.error:
        return None
    return text if reader.eof else None


def _chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")
