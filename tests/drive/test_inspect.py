"""What is refused before and while decoding, and what size and way up a photo has."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from apps.drive import inspect, thumbnails
from marketplace.api import ApiError
from tests.drive import photos


def examine(tmp_path, data: bytes):
    path = tmp_path / "upload"
    path.write_bytes(data)
    return thumbnails.examine(path)


def refusal(tmp_path, data: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        examine(tmp_path, data)
    return caught.value


@pytest.mark.parametrize("format", photos.FORMATS)
def test_format_and_size_by_content(tmp_path, format):
    header, thumb = examine(tmp_path, photos.photo(format=format, width=400, height=300))

    assert (header.format, header.width, header.height) == (format, 400, 300)
    with Image.open(io.BytesIO(thumb)) as image:
        assert (image.format, image.size) == ("WEBP", (320, 240))


@pytest.mark.parametrize("format", photos.FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, format, orientation):
    header, thumb = examine(tmp_path, photos.turned(orientation, format, 640, 400))

    sideways = orientation >= 5
    assert (header.width, header.height) == ((400, 640) if sideways else (640, 400))
    with Image.open(io.BytesIO(thumb)) as image:
        width, height = image.size
        red = [
            corner
            for corner, at in {
                "top left": (5, 5),
                "top right": (width - 6, 5),
                "bottom right": (width - 6, height - 6),
                "bottom left": (5, height - 6),
            }.items()
            if (pixel := image.convert("RGB").getpixel(at))[0] > 200 and pixel[1] < 60
        ]
    assert (width, height) == ((200, 320) if sideways else (320, 200))
    corners = ["top left", "top right", "bottom right", "bottom left"]
    assert red == [corners[(0, 1, 2, 3, 0, 1, 2, 3)[orientation - 1]]]


def test_orientation_in_xmp_alone_is_ignored_as_browsers_do(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'

    header, _ = examine(tmp_path, photos.photo(format="webp", xmp=xmp))

    assert (header.width, header.height, header.orientation) == (64, 48, 1)


def test_empty(tmp_path):
    assert refusal(tmp_path, b"").code == "empty"


@pytest.mark.parametrize(
    "data", [b"GIF89a" + b"\0" * 40, b"<svg/>", b"%PDF-1.7", b"\0\0\0\x18ftypheic", b"x"]
)
def test_other_types(tmp_path, data):
    error = refusal(tmp_path, data)

    assert (error.status_code, error.code) == (422, "unsupported_type")


@pytest.mark.parametrize("format", photos.FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated(tmp_path, format, share):
    data = photos.photo(format=format, width=300, height=200)

    assert refusal(tmp_path, data[: int(len(data) * share)]).code == "truncated"


def test_truncated_within_the_header(tmp_path):
    assert refusal(tmp_path, photos.photo()[:30]).code == "truncated"


def test_corrupt_but_complete(tmp_path):
    data = bytearray(photos.photo(format="png", width=300, height=200))
    at = data.index(b"IDAT") + 8
    data[at : at + 40] = b"\xff" * 40

    assert refusal(tmp_path, bytes(data)).code == "corrupt"


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_several_frames_or_pages(tmp_path, format):
    error = refusal(tmp_path, photos.animated(format))

    assert error.code == "animated"
    assert "3 frames" in error.message


def test_a_jpeg_with_more_pictures_behind_it_is_one_photo(tmp_path):
    frames = [photos.picture(seed=n) for n in range(2)]

    header, _ = examine(tmp_path, photos.encode(frames[0], "mpo", save_all=True, append_images=frames[1:]))

    assert header.format == "jpeg"


def test_too_many_pixels_by_the_header_alone(tmp_path):
    error = refusal(tmp_path, photos.png_of_size(40_000, 40_000))

    assert (error.status_code, error.code) == (413, "too_many_pixels")
    assert "1600.0 megapixels" in error.message


def test_pixel_limit_is_inclusive(tmp_path, settings):
    settings.MAX_IMAGE_PIXELS = 64 * 48

    examine(tmp_path, photos.photo(width=64, height=48))

    assert refusal(tmp_path, photos.photo(width=64, height=49)).code == "too_many_pixels"


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        *(("L", "jpeg"), ("CMYK", "jpeg"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("1", "png")),
        *(("I;16", "png"), ("I;16", "tiff"), ("F", "tiff"), ("CMYK", "tiff"), ("LAB", "tiff")),
    ],
)
def test_every_mode_gets_a_thumbnail(tmp_path, mode, format):
    if mode == "I;16":
        image = (
            Image.linear_gradient("L").resize((64, 48)).convert("I").point(lambda v: v * 257).convert(mode)
        )
    elif mode == "LAB":
        image = Image.new("LAB", (64, 48), (128, 128, 128))
    else:
        image = photos.picture(mode=mode) if mode != "P" else photos.picture().quantize(16)

    header, thumb = examine(tmp_path, photos.encode(image, format))

    assert (header.width, header.height) == (64, 48)
    with Image.open(io.BytesIO(thumb)) as small:
        small.load()
        if mode == "I;16":
            low, high = small.convert("L").getextrema()
            assert low < 20 and high > 235  # not all white


def test_small_profiles_stay_in_the_thumbnail_and_gps_does_not(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}

    _, thumb = examine(tmp_path, photos.photo(icc_profile=profile, exif=exif))

    with Image.open(io.BytesIO(thumb)) as image:
        assert image.info["icc_profile"] == profile
        assert "exif" not in image.info


def test_media_types_cover_every_format():
    assert set(inspect.MEDIA_TYPES) == set(photos.FORMATS)
