"""Reading and writing images: what comes out of each kind of file, and what is refused, with which code."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from model_images.runtime import headers
from model_images.runtime.contract import BadImage, Encoded
from model_images.runtime.imageio import ImageLimits, encode, open_source, read_header
from tests.runtime import pictures
from tests.runtime.pictures import gradient, noise, saved

GRAY = np.asarray(Image.fromarray(gradient()).convert("L"))


def close(a: np.ndarray, b: np.ndarray, within: int) -> None:
    assert a.shape == b.shape
    assert a.dtype == np.uint8
    assert a.flags.c_contiguous
    assert np.abs(a.astype(int) - b).max() <= within


# --- Every kind of file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind", "within"),
    [
        (pictures.jpeg(), "jpeg", 6),
        (pictures.jpeg(progressive=True), "jpeg", 6),
        (saved(gradient(), "PNG"), "png", 0),
        (saved(gradient(), "TIFF"), "tiff", 0),
        (saved(gradient(), "TIFF", compression="tiff_lzw"), "tiff", 0),
        (saved(gradient(), "TIFF", compression="tiff_adobe_deflate"), "tiff", 0),
        (saved(gradient(), "WEBP", lossless=True), "webp", 0),
        (saved(gradient(), "WEBP", quality=95), "webp", 14),
    ],
)
def test_rgb_and_gray_of_each_format(data, kind, within):
    source = open_source(data)

    assert (source.header.format, source.header.width, source.header.height) == (kind, 64, 48)
    assert not source.header.has_alpha
    close(source.rgb(), gradient(), within)
    close(source.gray(), GRAY, max(within, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format", "options", "within"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
    ],
)
def test_orientation_is_applied_once(orientation, format, options, within):
    source = open_source(pictures.oriented(orientation, format, **options))

    assert (source.header.width, source.header.height) == (64, 48)
    close(source.rgb(), gradient(), within)
    close(source.gray(), GRAY, max(within, 1))


def test_png_orientation_behind_the_pixels_is_found_without_decoding():
    data = pictures.oriented(6, "PNG")
    start = data.index(b"eXIf") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    exif, rest = data[start : start + length], data[:start] + data[start + length :]
    end = rest.index(b"IEND") - 4
    moved = rest[:end] + exif + rest[end:]

    assert read_header(moved).orientation == 6
    close(open_source(moved).rgb(), gradient(), 0)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_orientation_that_means_nothing_is_none(value):
    exif = Image.Exif()
    exif[274] = value

    assert read_header(saved(gradient(), "JPEG", exif=exif.tobytes())).orientation == 1


def test_alpha_is_flattened_on_white():
    rgba = np.dstack([gradient(), np.full((48, 64), 255, np.uint8)])
    rgba[:, :32, 3] = 0
    expected = gradient()
    expected[:, :32] = 255

    for data in (saved(rgba, "PNG"), saved(rgba, "WEBP", lossless=True), saved(rgba, "TIFF")):
        source = open_source(data)
        assert source.header.has_alpha
        close(source.rgb(), expected, 0)


def test_gray_with_alpha_is_flattened_on_white():
    la = Image.merge("LA", [Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 0)])

    source = open_source(saved(la, "PNG"))

    assert source.header.has_alpha
    assert source.gray().tolist() == [[255] * 4] * 4
    assert source.rgb().tolist() == [[[255] * 3] * 4] * 4


def test_palette_with_and_without_transparency():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])

    assert open_source(saved(palette, "PNG")).rgb().tolist() == [[[255, 0, 0], [0, 0, 255]]]
    see_through = open_source(saved(palette, "PNG", transparency=1))
    assert see_through.header.has_alpha
    assert see_through.rgb().tolist() == [[[255, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_is_scaled_not_clipped(format):
    wide = np.array([[0, 257, 32768, 65535]], np.uint16)

    source = open_source(saved(wide, format))

    assert source.gray().tolist() == [[0, 1, 128, 255]]
    assert source.rgb().tolist() == [[[0] * 3, [1] * 3, [128] * 3, [255] * 3]]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_one_bit(format):
    bits = Image.fromarray(np.array([[0, 255, 255, 0]], np.uint8)).convert("1")
    options = {"compression": "group4"} if format == "TIFF" else {}

    source = open_source(saved(bits, format, **options))

    assert source.gray().tolist() == [[0, 255, 255, 0]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_are_refused_in_words(mode):
    data = saved(Image.new(mode, (4, 4), 5), "TIFF")

    with pytest.raises(BadImage) as refused:
        open_source(data).rgb()
    assert refused.value.code == "unsupported_type"


def test_gray_jpeg_and_cmyk_jpeg():
    gray = open_source(saved(Image.fromarray(GRAY), "JPEG", quality=95))
    close(gray.rgb(), np.dstack([GRAY] * 3), 3)
    cmyk = open_source(pictures.cmyk_jpeg())
    close(cmyk.rgb(), gradient(), 8)
    close(cmyk.gray(), GRAY, 6)


def test_profile_of_another_colour_space_is_converted():
    """A saturated red in a wide space is another red in sRGB; an sRGB profile changes nothing."""
    data = saved(gradient(), "JPEG", quality=95, subsampling=0, icc_profile=pictures.swapped_profile())
    plain = saved(gradient(), "JPEG", quality=95, subsampling=0, icc_profile=pictures.srgb_profile())

    converted = open_source(data).rgb()

    close(converted[:, :, ::-1].copy(), gradient(), 8)
    close(open_source(plain).rgb(), gradient(), 6)


def test_broken_profile_is_ignored():
    data = saved(gradient(), "PNG", icc_profile=b"not a profile")

    close(open_source(data).rgb(), gradient(), 0)


# --- Reduced decoding ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minimum", "size"),
    [
        ((0, 0), (401, 303)),
        ((201, 152), (201, 152)),
        ((202, 1), (401, 303)),
        ((51, 38), (51, 38)),
        ((0, 38), (51, 38)),
        ((100, 0), (101, 76)),
        ((9999, 9999), (401, 303)),
    ],
)
def test_jpeg_is_reduced_as_far_as_both_sides_allow(minimum, size):
    source = open_source(pictures.jpeg(gradient(401, 303)))

    assert source.rgb(*minimum).shape == (size[1], size[0], 3)
    assert source.gray(*minimum).shape == (size[1], size[0])


def test_reduced_decoding_is_the_picture_averaged():
    source = open_source(pictures.jpeg(gradient(640, 480)))
    averaged = gradient(640, 480).reshape(60, 8, 80, 8, 3).mean(axis=(1, 3))

    close(source.rgb(80, 60), averaged.round().astype(int), 4)


def test_minimum_is_meant_upright():
    source = open_source(pictures.oriented(6, quality=95))  # stored 48 × 64

    assert source.rgb(32, 0).shape == (24, 32, 3)
    assert source.gray(33, 0).shape == (48, 64)


# --- Refusals -----------------------------------------------------------------------------------


def refusal(data: bytes, limits: ImageLimits = headers.DEFAULT_LIMITS) -> str:
    with pytest.raises(BadImage) as refused:
        open_source(data, limits).rgb()
    assert refused.value.message.endswith(".")
    return refused.value.code


WHOLE = {
    "jpeg": pictures.jpeg(noise()),
    "progressive": pictures.jpeg(noise(), progressive=True),
    "png": pictures.png(noise()),
    "tiff": saved(noise(), "TIFF", compression="tiff_lzw"),
    "webp": saved(noise(), "WEBP"),
    "webp lossless": saved(noise(), "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("kept", [0.03, 0.5, 0.9, 0.99])
def test_truncated_files_are_refused(kind, kept):
    data = WHOLE[kind]

    assert refusal(data[: int(len(data) * kept)]) == "truncated"


@pytest.mark.parametrize("kind", WHOLE)
def test_damaged_files_never_raise_anything_else(kind):
    rng = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(WHOLE[kind])
        for position in rng.integers(8, len(data), 12):
            data[position] = rng.integers(256)
        try:
            assert open_source(bytes(data)).rgb().ndim == 3
        except BadImage as error:
            assert error.code in {
                "corrupt", "truncated", "too_many_pixels", "animated", "unsupported_type",
            }  # fmt: skip


def test_wrong_types_are_named():
    for data, word in (
        (b"GIF89a" + b"\0" * 40, "GIF"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"hello", "no image"),
    ):
        with pytest.raises(BadImage, match=word) as refused:
            read_header(data)
        assert refused.value.code == "unsupported_type"


def test_empty_and_too_large(tmp_path):
    assert refusal(b"") == "empty"
    assert refusal(pictures.jpeg(), ImageLimits(max_bytes=100)) == "too_large"
    path = tmp_path / "photo"
    path.write_bytes(pictures.jpeg())
    assert read_header(path).width == 64
    with pytest.raises(BadImage) as refused:
        read_header(path, ImageLimits(max_bytes=100))
    assert refused.value.code == "too_large"


def test_pixels_are_refused_before_decoding():
    assert refusal(pictures.png_header(100_000, 100_000)) == "too_many_pixels"
    assert refusal(pictures.jpeg(), ImageLimits(max_pixels=64 * 48 - 1)) == "too_many_pixels"
    assert read_header(pictures.jpeg(), ImageLimits(max_pixels=64 * 48)).pixels == 64 * 48
    huge = bytearray(saved(gradient(), "WEBP", lossless=True))
    huge[21:25] = (0x0FFFFFFF).to_bytes(4, "little")
    assert refusal(bytes(huge)) == "too_many_pixels"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_more_than_one_frame_is_refused(format):
    assert refusal(pictures.frames(format)) == "animated"


def test_camera_thumbnails_and_second_pictures_are_no_frames():
    small = Image.fromarray(gradient(16, 12))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    with_thumbnail = saved(gradient(), "TIFF", save_all=True, append_images=[small])
    stereo = pictures.frames("MPO", 2)

    assert read_header(with_thumbnail).width == 64
    assert read_header(stereo).format == "jpeg"
    assert open_source(stereo).rgb().shape == (48, 64, 3)


def test_harmless_junk_between_segments_is_accepted():
    data = pictures.jpeg()
    at = data.index(b"\xff\xc4")

    junk = open_source(data[:at] + b"\0\0\0" + data[at:])

    close(junk.rgb(), gradient(), 6)


def test_cut_is_told_from_damaged():
    damaged = bytearray(WHOLE["png"])
    damaged[len(damaged) // 2] ^= 0xFF

    assert refusal(bytes(damaged)) == "corrupt"
    assert not headers.is_cut(WHOLE["tiff"], "tiff")


# --- Writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "media_type", "within"),
    [("jpeg", "image/jpeg", 30), ("png", "image/png", 0), ("webp", "image/webp", 60)],
)
def test_encode_each_format(format, media_type, within):
    encoded = encode(gradient(), format, 95)

    assert (encoded.media_type, encoded.width, encoded.height) == (media_type, 64, 48)
    close(open_source(encoded.data).rgb(), gradient(), within)
    gray = encode(GRAY, format, 95)
    close(open_source(gray.data).gray(), GRAY, within)


def test_auto_is_what_the_processor_prefers():
    assert encode(gradient(), "auto").media_type == "image/jpeg"
    assert encode(gradient(), "auto", prefer="png").media_type == "image/png"
    assert encode(gradient(), "webp", prefer="png").media_type == "image/webp"


def test_quality_changes_the_size():
    sizes = [len(encode(noise(), "jpeg", quality).data) for quality in (30, 60, 95)]

    assert sizes == sorted(set(sizes))


def test_black_and_white_png_has_one_bit():
    bits = np.where(GRAY > 128, 255, 0).astype(np.uint8)

    encoded = encode(bits, "png")

    assert encoded.data[24] == 1  # IHDR: bit depth
    assert np.array_equal(open_source(encoded.data).gray(), bits)


def test_sides_beyond_the_format():
    wide = np.zeros((1, 70_000), np.uint8)

    assert encode(wide, "auto").media_type == "image/png"
    for format in ("jpeg", "webp"):
        with pytest.raises(BadImage) as refused:
            encode(wide, format)
        assert refused.value.code == "output_too_large"


def test_encoded_passes_and_wrong_arrays_do_not():
    ready = Encoded(b"x", "image/png", 1, 1)

    assert encode(ready, "jpeg") is ready
    for wrong in (np.zeros((2, 2), np.float32), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8)):
        with pytest.raises(TypeError):
            encode(wrong)


def test_nothing_of_the_metadata_is_carried_over():
    exif = Image.Exif()
    exif[0x010F] = "CameraMaker"
    source = open_source(saved(gradient(), "JPEG", exif=exif.tobytes()))

    for format in ("jpeg", "png", "webp"):
        assert b"CameraMaker" not in encode(source.rgb(), format).data
