"""Places go, pixels stay: on files as cameras and programs write them, and on broken ones."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from apps.drive.metadata import jpeg, layout, strip_location, tiff
from tests.drive import photos

GPS, EXIF, MAKER_NOTE = 0x8825, 0x8769, 0x927C
PLACE_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description exif:GPSLatitude="52,30.5N" '
    b'dc:title="x"/></x:xmpmeta>'
)
PLAIN_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="5"/></x:xmpmeta>'
SECRET = "SECRETPLACE"


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[0x010F] = "Camera maker"
    found[0x0112] = orientation
    found[GPS] = {1: "N", 2: (52.0, 30.0, 36.0), 3: "E", 4: (13.0, 22.0, 12.0), 28: SECRET.encode()}
    found[EXIF] = {0x829A: 0.005, 0x9003: "2026:05:01 12:30:00", MAKER_NOTE: SECRET.encode() * 3}
    return found


def with_place(format: str, orientation: int = 6, **options) -> bytes:
    if format == "tiff":
        info = {271: "Camera maker", 274: orientation, 700: PLACE_XMP, GPS: {1: "N", 28: SECRET.encode()}}
        return photos.photo(format="tiff", tiffinfo=info, **options)
    if format == "png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", PLACE_XMP.decode())
        text.add_text("exif:GPSLatitude", SECRET)
        text.add_text("Author", "Alice")
        return photos.photo(format="png", exif=exif(orientation), pnginfo=text, **options)
    return photos.photo(format=format, exif=exif(orientation), xmp=PLACE_XMP, **options)


def pixels(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > 1_000_000:
            raise ValueError("a header gone wrong")
        return image.mode, image.size, image.tobytes()


@pytest.mark.parametrize("format", photos.FORMATS)
def test_place_goes_and_the_rest_stays(format):
    data = with_place(format)

    clean = strip_location(data, format)

    assert SECRET.encode() in data
    assert SECRET.encode() not in clean
    assert b"GPSLatitude" not in clean
    assert pixels(clean) == pixels(data)
    assert layout.is_complete(clean, format)
    with Image.open(io.BytesIO(clean)) as image:
        found = image.getexif()
        assert not found.get_ifd(GPS)
        assert GPS not in found
        if format == "tiff":
            assert image.tag_v2[271] == "Camera maker"
        else:
            assert found[0x010F] == "Camera maker"
            assert found[0x0112] == 6
            assert found.get_ifd(EXIF)[0x9003] == "2026:05:01 12:30:00"
            assert MAKER_NOTE not in found.get_ifd(EXIF)
    if format == "png":
        assert b"Alice" in clean


@pytest.mark.parametrize("format", photos.FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_stays(format, orientation, tmp_path):
    from apps.drive import thumbnails

    path = tmp_path / "photo"
    seen = []
    data = with_place(format, orientation)
    for version in (data, strip_location(data, format)):
        path.write_bytes(version)
        header, thumb = thumbnails.examine(path)
        seen.append((header.width, header.height, pixels(thumb)))

    assert seen[0] == seen[1]


@pytest.mark.parametrize("format", photos.FORMATS)
def test_a_file_without_a_place_keeps_its_bytes(format):
    options = {"xmp": PLAIN_XMP} if format in {"jpeg", "webp"} else {}
    data = photos.photo(format=format, **options)

    assert strip_location(data, format) == data


@pytest.mark.parametrize("format", photos.FORMATS)
def test_again_changes_nothing(format):
    clean = strip_location(with_place(format), format)

    assert strip_location(clean, format) == clean


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")
@pytest.mark.parametrize("format", photos.FORMATS)
def test_exiftool_finds_no_place_and_no_fault(format, tmp_path):
    path = tmp_path / f"photo.{format}"
    path.write_bytes(strip_location(with_place(format), format))

    said = subprocess.run(
        ["exiftool", "-G1", "-a", "-u", "-validate", "-warning", "-error", path],
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    assert "GPS" not in said
    assert SECRET not in said
    assert "Error" not in said


def jpeg_with(*segments: tuple[int, bytes], tail: bytes = b"") -> bytes:
    """A plain JPEG with more segments behind its first two bytes."""
    base = photos.photo()
    more = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(b) + 2) + b for marker, b in segments)
    return base[:2] + more + base[2:] + tail


IPTC_CITY = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x10\x1c\x02\x5a\0\x0bSECRETPLACE"
IPTC_TITLE = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05Title"


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PLACE_XMP),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + SECRET.encode()),
        (0xE1, b"some other " + SECRET.encode()),
        (0xED, IPTC_CITY),
        (0xE5, SECRET.encode()),
        (0xEB, b"JP" + SECRET.encode()),
        (0xE2, b"MPF\0" + SECRET.encode()),
        (0xFE, b"GPS " + SECRET.encode()),
        (0xFE, "location ".encode("utf-16-le") + SECRET.encode()),
    ],
)
def test_jpeg_segments_that_tell_a_place_go(marker, body):
    data = jpeg_with((marker, body))

    assert strip_location(data, "jpeg") == photos.photo()


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PLAIN_XMP),
        (0xE2, b"ICC_PROFILE\0\1\1" + b"profile"),
        (0xED, IPTC_TITLE),
        (0xEE, b"Adobe\0\x64\0\0\0\0\1"),
        (0xFE, b"made by hand"),
    ],
)
def test_jpeg_segments_that_tell_none_stay(marker, body):
    data = jpeg_with((marker, body))

    assert strip_location(data, "jpeg") == data


def test_what_follows_a_jpeg_goes():
    film = b"\0\0\0\x18ftypmp42" + SECRET.encode()

    assert strip_location(photos.photo() + film, "jpeg") == photos.photo()


def test_progressive_jpeg_with_many_scans_and_restarts():
    data = photos.photo(width=320, height=200, progressive=True, restart_marker_blocks=2, exif=exif())

    clean = strip_location(data, "jpeg")

    assert len(list(jpeg.segments(data))) > 10
    assert pixels(clean) == pixels(data)
    assert SECRET.encode() not in clean


def test_extra_pictures_of_an_mpo_go():
    frames = [photos.picture(seed=n * 90) for n in range(2)]
    data = photos.encode(frames[0], "mpo", save_all=True, append_images=frames[1:])

    clean = strip_location(data, "jpeg")

    with Image.open(io.BytesIO(clean)) as image:
        assert image.format == "JPEG"
    assert pixels(clean) == pixels(data)


def test_preview_with_a_place_of_its_own_goes():
    """IFD1 of EXIF: a small JPEG, here one that has EXIF itself."""
    thumb = jpeg_with((0xE1, b"Exif\0\0" + SECRET.encode()))
    at = 8 + 2 + 12 + 4 + 2 + 24 + 4
    blob = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x0112, 3, 1, 6) + struct.pack("<I", 26)
    blob += struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, at, 0x0202, 4, 1, len(thumb), 0) + thumb
    data = jpeg_with((0xE1, b"Exif\0\0" + blob))

    clean = strip_location(data, "jpeg")

    assert SECRET.encode() not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert image.getexif()[0x0112] == 6


def test_exif_that_can_not_be_followed_leaves_its_orientation():
    blob = (
        b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x0112, 3, 1, 8, 0) + b"\0\0\xff\xff" + SECRET.encode()
    )
    data = jpeg_with((0xE1, b"Exif\0\0" + blob))

    clean = strip_location(data, "jpeg")

    assert SECRET.encode() not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert dict(image.getexif()) == {0x0112: 8}


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_compressed_png_texts_are_looked_into(kind):
    text = PngImagePlugin.PngInfo()
    if kind == b"zTXt":
        text.add_text("Comment", "GPSPosition " + SECRET, zip=True)
    else:
        text.add_itxt("XML:com.adobe.xmp", PLACE_XMP.decode(), zip=True)
    data = photos.photo(format="png", pnginfo=text)

    assert kind in data
    assert kind not in strip_location(data, "png")


def test_png_text_bomb_goes_without_being_unpacked_whole():
    bomb = zlib.compress(b"x" * 50_000_000)
    base = photos.photo(format="png")
    body = b"zTXtComment\0\0" + bomb
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = base[:33] + chunk + base[33:]

    assert strip_location(data, "png") == base


def test_raw_profiles_of_png_go():
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 10\n" + SECRET.encode().hex())
    data = photos.photo(format="png", pnginfo=text)

    assert strip_location(data, "png") == photos.photo(format="png")


def test_webp_flags_tell_what_is_left():
    data = photos.photo(format="webp", exif=exif(), xmp=PLACE_XMP)

    clean = strip_location(data, "webp")

    assert data[20] & 0x0C == 0x0C
    assert clean[20] & 0x0C == 0x08
    assert int.from_bytes(clean[4:8], "little") == len(clean) - 8


def test_geotiff_tags_go():
    info = {0x830E: (1.0, 1.0, 0.0), 0x8482: (0.0, 0.0, 0.0, 13.4, 52.5, 0.0), 270: "a map"}
    data = photos.photo(format="tiff", tiffinfo=info)

    clean = strip_location(data, "tiff")

    assert struct.pack("<d", 52.5) in data
    assert struct.pack("<d", 52.5) not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert image.tag_v2[270] == "a map"
        assert 0x8482 not in image.tag_v2


def test_tiff_whose_gps_points_at_its_pixels_keeps_them():
    data = bytearray(photos.photo(format="tiff", tiffinfo={GPS: {1: "N"}}))
    reader = tiff.Reader(data)
    by_tag = {entry.tag: entry for entry in reader.ifd(reader.first).entries}
    start, size = (reader.integers(by_tag[tag])[0] for tag in (273, 279))
    struct.pack_into("<I", data, by_tag[GPS].at + 8, start)

    clean = strip_location(bytes(data), "tiff")

    assert clean[start : start + size] == data[start : start + size]
    assert GPS not in {entry.tag for entry in tiff.Reader(clean).ifd(reader.first).entries}


def test_tiff_whose_tags_can_not_be_followed_is_written_anew():
    data = bytearray(with_place("tiff"))
    reader = tiff.Reader(data)
    ifd = reader.ifd(reader.first)
    struct.pack_into("<I", data, ifd.end - 4, len(data) - 1)  # the next directory lies beyond the end

    clean = strip_location(bytes(data), "tiff")

    assert SECRET.encode() not in clean
    assert pixels(clean)[2] != b""


@pytest.mark.filterwarnings("ignore")  # Pillow's, about what it skips
@pytest.mark.parametrize("format", photos.FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_broken_files_never_crash_it_and_readable_ones_keep_their_pixels(format, data):
    broken = bytearray(_SAMPLES[format])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(broken) // 2, len(broken)))
    sample = bytes(broken[:cut])
    try:
        before = pixels(sample)
    except Exception:  # whatever Pillow says of it
        before = None

    clean = strip_location(sample, format)

    if before is not None and layout.is_complete(sample, format):  # others are refused at upload
        assert pixels(clean) == before


_SAMPLES = {format: with_place(format, width=40, height=30) for format in photos.FORMATS}
