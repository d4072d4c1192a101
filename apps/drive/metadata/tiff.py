"""TIFF structure: TIFF files, and EXIF, which is a TIFF without pixels.

Source: TIFF revision 6.0; EXIF 2.32; BigTIFF (magic 43, 8-byte offsets). Tags are removed in place: the entry
leaves its directory, its bytes become zeros, and everything else stays where it is. Bytes that something
else uses too (pixels, another tag) are never zeroed, however a file is made.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.drive.metadata import places

ORIENTATION = 0x0112
_GPS, _EXIF, _INTEROP, _SUB_IFDS = 0x8825, 0x8769, 0xA005, 0x014A
_XMP, _IPTC, _PHOTOSHOP, _MAKER_NOTE = 0x02BC, 0x83BB, 0x8649, 0x927C
_PACKETS = {_XMP: places.in_text, _IPTC: places.in_iptc, _PHOTOSHOP: places.in_photoshop}
_GEOTIFF = {0x830E, 0x8480, 0x8482, 0x85D8, 0x87AF, 0x87B0, 0x87B1, 0xA480}
_THUMB, _THUMB_SIZE = 0x0201, 0x0202
# Offsets and sizes of the pixels: strips, tiles, an embedded JPEG.
_PIXELS = ((0x0111, 0x0117), (0x0144, 0x0145), (_THUMB, _THUMB_SIZE))
_TYPE_SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), start=1)) | {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
# Far beyond any real file; they bound the work that a crafted one can cause.
_MOST_IFDS = 64
_MOST_INTEGERS = 200_000
_MOST_TEXT = 1 << 20

Range = tuple[int, int]


class Malformed(ValueError):
    """A directory can't be read to its end."""


@dataclass(frozen=True)
class Entry:
    at: int  # where the entry stands in its directory
    tag: int
    type: int
    count: int
    value: int  # where its value stands
    size: int  # of the value in bytes


@dataclass
class Ifd:
    at: int
    entries: list[Entry]
    end: int  # behind the offset of the next directory
    next: int
    first: bool  # of its chain
    drop: list[Entry] = field(default_factory=list)


class Reader:
    """Reads directories out of `data`; every read is within bounds or Malformed."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        if order is None or len(data) < 8:
            raise Malformed("no TIFF header")
        magic = struct.unpack_from(order + "H", data, 2)[0]
        if magic not in {42, 43}:
            raise Malformed("no TIFF header")
        self.order = order
        self.big = magic == 43
        # The formats of: number of entries, an entry (tag, type, count), an offset; size of an entry.
        self.formats = ("Q", "HHQ", "Q", 20) if self.big else ("H", "HHI", "I", 12)
        self.first = self.unpack(self.formats[2], 8 if self.big else 4)[0]

    def unpack(self, form: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + form, self.data, at)
        except (struct.error, OverflowError):
            raise Malformed("an offset leads out of the file") from None

    def ifd(self, at: int, first: bool = True) -> Ifd:
        number, entry, offset, entry_size = self.formats
        count = self.unpack(number, at)[0]
        start = at + struct.calcsize("=" + number)
        end = start + count * entry_size + struct.calcsize("=" + offset)
        if end > len(self.data):
            raise Malformed("a directory leads out of the file")
        entries = [self._entry(entry, start + index * entry_size, entry_size) for index in range(count)]
        following = self.unpack(offset, start + count * entry_size)[0]
        return Ifd(at, entries, end, following, first)

    def _entry(self, form: str, at: int, entry_size: int) -> Entry:
        tag, kind, count = self.unpack(form, at)
        size = _TYPE_SIZES.get(kind, 1) * count
        inline = at + struct.calcsize("=" + form)
        fits = size <= at + entry_size - inline
        value = inline if fits else self.unpack(self.formats[2], inline)[0]
        return Entry(at, tag, kind, count, value, size)

    def integers(self, entry: Entry) -> list[int]:
        """Its values; empty if they are no integers or lead out of the file."""
        if entry.count > _MOST_INTEGERS:
            raise Malformed("too many values")
        code = _INTEGERS.get(entry.type)
        if code is None or entry.value + entry.size > len(self.data):
            return []
        return list(self.unpack(f"{entry.count}{code}", entry.value))

    def ifds(self) -> Iterator[Ifd]:
        """Every directory that leads to pixels or tags: the chain, EXIF, sub-images. Not GPS."""
        seen: set[int] = set()
        waiting = [(self.first, True)]
        while waiting:
            at, first = waiting.pop()
            if not at or at in seen:
                continue
            if len(seen) >= _MOST_IFDS:
                raise Malformed("too many directories")
            seen.add(at)
            ifd = self.ifd(at, first)
            yield ifd
            waiting.append((ifd.next, False))
            for entry in ifd.entries:
                if entry.tag in {_EXIF, _INTEROP, _SUB_IFDS}:
                    waiting += [(offset, True) for offset in self.integers(entry)]


def orientation(data: bytes) -> int:
    """The orientation tag of the first directory, 1 if there is none or nothing can be read."""
    try:
        reader = Reader(data)
        for entry in reader.ifd(reader.first).entries:
            if entry.tag == ORIENTATION:
                return (reader.integers(entry) or [1])[0]
    except Malformed:
        pass
    return 1


def only_orientation(value: int) -> bytes:
    """The smallest EXIF there is."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, ORIENTATION, 3, 1, value, 0, 0)


def is_complete(data: bytes) -> bool:
    """Whether all directories and all pixels of a TIFF file lie within it."""
    try:
        reader = Reader(data)
        ends = [end for ifd in reader.ifds() for _, end in _pixel_ranges(reader, ifd)]
    except Malformed:
        return False
    return all(end <= len(data) for end in ends)


def strip(data: bytes, is_file: bool = True) -> bytes:
    """Without tags that tell a place; the same length. Raises Malformed.

    `is_file=False`: EXIF, where a second directory is a preview picture, which goes too if it has EXIF of
    its own.
    """
    out = bytearray(data)
    reader = Reader(out)
    keep: list[Range] = [(0, 16 if reader.big else 8)]
    zero: list[Range] = []
    ifds = list(reader.ifds())
    for ifd in ifds:
        ifd.drop = _to_drop(reader, ifd, is_file)
        keep.append((ifd.at, ifd.end))
        dropped = {entry.at for entry in ifd.drop}
        keep += [_range(entry) for entry in ifd.entries if entry.at not in dropped]
        if not dropped & {entry.at for entry in ifd.entries if entry.tag == _THUMB}:
            keep += _pixel_ranges(reader, ifd)
        for entry in ifd.drop:
            zero += _content(reader, ifd, entry)
    for start, end in _subtract(zero, keep, len(out)):
        out[start:end] = bytes(end - start)
    for ifd in ifds:
        _remove(reader, ifd)
    return bytes(out)


def _range(entry: Entry) -> Range:
    return (entry.value, entry.value + entry.size)


def _to_drop(reader: Reader, ifd: Ifd, is_file: bool) -> list[Entry]:
    found = []
    seen: set[int] = set()
    for entry in ifd.entries:
        if entry.tag in {_GPS, _MAKER_NOTE} or entry.tag in _GEOTIFF:
            found.append(entry)
        elif entry.tag in _PACKETS:
            # A second one of a kind is never looked at by readers.
            if entry.tag in seen or _tells_a_place(reader, entry):
                found.append(entry)
            seen.add(entry.tag)
    if not is_file:
        thumb = b"".join(bytes(reader.data[start:end]) for start, end in _pixel_ranges(reader, ifd))
        if b"Exif\0" in thumb or b"/xap/" in thumb:
            found += [entry for entry in ifd.entries if entry.tag in {_THUMB, _THUMB_SIZE}]
    return found


def _tells_a_place(reader: Reader, entry: Entry) -> bool:
    """In doubt, yes."""
    if entry.size > _MOST_TEXT:
        return True
    start, end = _range(entry)
    return _PACKETS[entry.tag](bytes(reader.data[start:end]))


def _pixel_ranges(reader: Reader, ifd: Ifd) -> list[Range]:
    by_tag = {entry.tag: entry for entry in ifd.entries}
    ranges = []
    for offsets, sizes in _PIXELS:
        if offsets in by_tag and sizes in by_tag:
            pairs = zip(reader.integers(by_tag[offsets]), reader.integers(by_tag[sizes]), strict=False)
            ranges += [(offset, offset + size) for offset, size in pairs]
    return ranges


def _content(reader: Reader, ifd: Ifd, entry: Entry) -> list[Range]:
    """The bytes of a dropped entry: its value, and what it points to."""
    ranges = [_range(entry)]
    if entry.tag == _THUMB:
        ranges += _pixel_ranges(reader, ifd)
    if entry.tag == _GPS:
        for offset in reader.integers(entry)[:1]:
            try:
                gps = reader.ifd(offset)
            except Malformed:
                continue
            ranges.append((gps.at, gps.end))
            ranges += [_range(inner) for inner in gps.entries]
    return ranges


def _subtract(ranges: list[Range], keep: list[Range], size: int) -> Iterator[Range]:
    """The parts of `ranges` within 0..size that touch no range of `keep`."""
    kept = sorted((start, end) for start, end in keep if start < end)
    for start, end in ranges:
        at, end = max(start, 0), min(end, size)
        for keep_start, keep_end in kept:
            if keep_end <= at:
                continue
            if keep_start >= end:
                break
            if at < keep_start:
                yield at, keep_start
            at = keep_end
        if at < end:
            yield at, end


def _remove(reader: Reader, ifd: Ifd) -> None:
    """Rewrite the directory without the dropped entries; the room at its end becomes zeros."""
    if not ifd.drop:
        return
    number, _, offset, entry_size = reader.formats
    data = reader.data
    assert isinstance(data, bytearray)  # noqa: S101 - only `strip` comes here
    dropped = {entry.at for entry in ifd.drop}
    rest = [bytes(data[e.at : e.at + entry_size]) for e in ifd.entries if e.at not in dropped]
    body = struct.pack(reader.order + number, len(rest)) + b"".join(rest)
    body += struct.pack(reader.order + offset, ifd.next)
    data[ifd.at : ifd.end] = body.ljust(ifd.end - ifd.at, b"\0")
