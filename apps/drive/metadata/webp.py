"""WebP chunks. Source: RFC 9649."""

from __future__ import annotations

from collections.abc import Iterator

from apps.drive.metadata import exif, places

_HAS_EXIF, _HAS_XMP = 0x08, 0x04
_KNOWN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, body), up to the end that the header tells. Ends early when the data does."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    at = 12
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            return
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def is_complete(data: bytes) -> bool:
    return len(data) >= 20 and len(data) >= 8 + int.from_bytes(data[4:8], "little")


def strip(data: bytes) -> bytes:
    kept: list[tuple[bytes, bytes]] = []
    for kind, body in chunks(data):
        if kind == b"EXIF":
            body = exif.strip(body)
            if not body:
                continue
        elif kind == b"XMP ":
            if places.in_text(body):
                continue
        elif kind not in _KNOWN:
            continue
        kept.append((kind, body))
    kinds = {kind for kind, _ in kept}
    out = b"".join(_chunk(kind, _flags(body, kinds) if kind == b"VP8X" else body) for kind, body in kept)
    return b"RIFF" + (len(out) + 4).to_bytes(4, "little") + b"WEBP" + out


def _flags(body: bytes, kinds: set[bytes]) -> bytes:
    """VP8X says which metadata follow."""
    if not body:
        return body
    flags = body[0]
    if b"EXIF" not in kinds:
        flags &= ~_HAS_EXIF
    if b"XMP " not in kinds:
        flags &= ~_HAS_XMP
    return bytes([flags]) + body[1:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
