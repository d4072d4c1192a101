from __future__ import annotations

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from model_images.filters import _jpegtran
from model_images.filters.blackwhite import BlackWhite
from model_images.runtime.contract import BadImage, Encoded
from model_images.runtime.imageio import open_source
from model_images.runtime.sources import upright
from tests.filters.doubles import ArraySource, jpeg, pixels_of, run

BW = BlackWhite()
PRIMARIES = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [90, 90, 90]]], np.uint8)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [76, 150, 29, 255, 90]),
        ({"luma": "709"}, [54, 182, 18, 255, 90]),
        ({"luma": "custom", "red": 1, "green": 0, "blue": 0}, [255, 0, 0, 255, 90]),
        ({"luma": "custom", "red": 0.5, "green": 0.5, "blue": 1}, [64, 64, 128, 255, 90]),
        ({"invert": True}, [179, 105, 226, 0, 165]),
        ({"contrast": 2}, [24, 172, 0, 255, 52]),
        ({"contrast": 0.5, "invert": True}, [153, 116, 176, 63, 146]),
    ],
)
def test_grey_values(options, expected):
    result = run(BW, PRIMARIES, **options)
    assert result.image.tolist() == [expected]
    assert result.prefer == "jpeg"


def test_any_weights_leave_grey_as_it_is():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert (run(BW, ramp, luma="custom", red=0.21, green=0.13, blue=0.77).image == ramp[..., 0]).all()


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0, [255, 255, 255, 255]), (1, [0, 255, 255, 255]), (128, [0, 0, 255, 255]), (255, [0, 0, 0, 255])],
)
def test_threshold_is_the_first_white_value(threshold, expected):
    values = np.array([[0, 127, 128, 255]], np.uint8)
    result = run(BW, values, mode="threshold", threshold=threshold)
    assert pixels_of(result)[..., 0].tolist() == [expected]


def test_otsu_parts_two_groups():
    values = np.array([[40, 45, 50, 41, 190, 200, 210, 205]], np.uint8)
    assert pixels_of(run(BW, values, mode="otsu"))[..., 0].tolist() == [[0] * 4 + [255] * 4]


@pytest.mark.parametrize("window", [3, 4, 5])
def test_adaptive_compares_with_the_mean_around(noise, window):
    side = window | 1
    around = np.pad(noise.astype(int), side // 2, mode="edge")
    boxes = np.lib.stride_tricks.sliding_window_view(around, (side, side)).mean(axis=(2, 3))
    expected = np.where(noise > np.rint(boxes) - 8, 255, 0)
    result = pixels_of(run(BW, noise, mode="adaptive", window=window, offset=8))[..., 0]
    assert (result == expected).all()


def test_invert_swaps_two_tones(noise):
    for mode in ("threshold", "otsu", "adaptive", "dither"):
        plain = pixels_of(run(BW, noise, mode=mode))
        assert (pixels_of(run(BW, noise, mode=mode, invert=True)) == 255 - plain).all()


def test_bayer4_gives_each_tone_its_share_of_dots():
    for tone, white in ((0, 0), (128, 8), (64, 4), (255, 16)):
        dots = pixels_of(run(BW, np.full((8, 8), tone, np.uint8), mode="dither", dither="bayer4"))[..., 0]
        assert (dots == 255).sum() == 4 * white, tone


def test_bayer8_sets_its_first_dots_far_apart():
    dots = pixels_of(run(BW, np.full((8, 8), 20, np.uint8), mode="dither", dither="bayer8"))[..., 0]
    assert np.argwhere(dots).tolist() == [[0, 0], [0, 4], [2, 2], [4, 0], [4, 4]]


def test_floyd_steinberg_is_pillows(photo):
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    expected = np.asarray(Image.fromarray(gray).convert("1").convert("L"))
    assert (pixels_of(run(BW, photo, mode="dither"))[..., 0] == expected).all()


@pytest.mark.parametrize("dither", ["floyd_steinberg", "bayer4", "bayer8"])
def test_dithering_keeps_the_mean(photo, dither):
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    dots = pixels_of(run(BW, photo, mode="dither", dither=dither))[..., 0]
    assert abs(float(dots.mean()) - float(gray.mean())) < 2


def test_local_contrast_spreads_a_flat_picture(photo):
    flat = (photo // 4 + 90).astype(np.uint8)
    plain, spread = (run(BW, flat, local_contrast=limit).image for limit in (0, 3))
    assert spread.std() > 1.5 * plain.std()


def test_two_tones_become_a_png_with_one_bit_a_pixel(noise):
    image = run(BW, noise, mode="threshold").image
    assert isinstance(image, Encoded)
    assert (image.media_type, image.width, image.height) == ("image/png", 17, 23)
    assert image.data[24] == 1  # bit depth in IHDR
    as_array = run(BW, noise, mode="threshold", format="jpeg")
    assert set(np.unique(as_array.image)) == {0, 255}
    assert as_array.prefer == "png"


def test_only_grey_is_decoded_for_601(photo):
    for options, kind in (({}, "gray"), ({"mode": "dither"}, "gray"), ({"luma": "709"}, "rgb")):
        source = ArraySource(photo)
        run(BW, source, **options)
        assert source.asked == [(kind, 0, 0)]


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 256},
        {"threshold": -1},
        {"window": 1},
        {"contrast": 5},
        {"mode": "sepia"},
        {"luma": "custom", "red": 0, "green": 0, "blue": 0},
        {"luma": "custom", "red": float("nan")},
        {"sharpness": 3},
    ],
)
def test_refused_options(options):
    with pytest.raises(ValidationError):
        BW.Params(**options)


def test_no_weights_at_all_are_refused_at_their_field():
    with pytest.raises(ValidationError) as caught:
        BW.Params(luma="custom", red=0, green=0, blue=0)
    assert caught.value.errors()[0]["loc"] == ("blue",)


# -- without decoding -------------------------------------------------------------------------------------

needs_turbojpeg = pytest.mark.skipif(not _jpegtran.available(), reason="libturbojpeg is not installed")


def no_turbojpeg(monkeypatch):
    monkeypatch.setattr(_jpegtran, "_library", lambda: None)


@needs_turbojpeg
@pytest.mark.parametrize("sampling", ["420", "422", "444"])
def test_the_y_plane_is_kept_bit_for_bit(photo, sampling):
    odd = np.ascontiguousarray(photo[:301, :403])  # sides that no block divides
    data = jpeg(odd, sampling=sampling)
    result = run(BW, open_source(data))
    assert isinstance(result.image, Encoded)
    assert (result.image.width, result.image.height) == (403, 301)
    assert (simplejpeg.decode_jpeg(result.image.data, "GRAY") == simplejpeg.decode_jpeg(data, "GRAY")).all()


@needs_turbojpeg
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_comes_out_upright(photo, orientation):
    data = jpeg(photo, orientation=orientation)
    result = run(BW, open_source(data))
    assert isinstance(result.image, Encoded)
    expected = upright(simplejpeg.decode_jpeg(data, "GRAY")[..., 0], orientation)
    got = pixels_of(result)
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 1  # the inverse DCT rounds after turning
    assert b"Exif" not in result.image.data


@needs_turbojpeg
def test_sides_that_cannot_be_turned_without_loss_are_decoded(photo):
    odd = np.ascontiguousarray(photo[:301, :403])
    data = jpeg(odd, orientation=6)
    assert _jpegtran.grayscale(data, 6) is None
    result = run(BW, open_source(data))
    assert isinstance(result.image, np.ndarray)
    assert result.image.shape == (403, 301)


def test_without_the_library_the_picture_is_the_same(photo, monkeypatch):
    data = jpeg(photo)
    with_it = pixels_of(run(BW, open_source(data)))
    no_turbojpeg(monkeypatch)
    without = run(BW, open_source(data)).image
    assert isinstance(without, np.ndarray)
    assert (with_it == without).all()


@needs_turbojpeg
def test_a_finer_file_than_asked_for_is_encoded_anew(photo):
    data = jpeg(photo, quality=95)
    assert isinstance(run(BW, open_source(data), quality=90).image, np.ndarray)
    assert isinstance(run(BW, open_source(data), quality=95).image, Encoded)


@needs_turbojpeg
@pytest.mark.parametrize(
    "options",
    [{"invert": True}, {"contrast": 1.2}, {"local_contrast": 1}, {"luma": "709"}, {"format": "png"}],
)
def test_any_other_wish_is_decoded(photo, options):
    assert isinstance(run(BW, open_source(jpeg(photo)), **options).image, np.ndarray)


@needs_turbojpeg
def test_a_grey_jpeg_stays_grey(photo):
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    data = jpeg(gray)
    assert (pixels_of(run(BW, open_source(data))) == simplejpeg.decode_jpeg(data, "GRAY")[..., 0]).all()


@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_a_damaged_file_is_declined_and_then_refused(photo, damage):
    data = jpeg(photo)
    half = len(data) // 2
    broken = data[:half] if damage == "cut" else data[:half] + bytes(400) + data[half + 400 :]
    assert _jpegtran.grayscale(broken) is None
    with pytest.raises(BadImage):
        run(BW, open_source(broken))


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", b"no photo at all", bytes(500)])
def test_no_jpeg_at_all_is_declined(data):
    assert _jpegtran.grayscale(data) is None
    assert _jpegtran.quality(data) is None


@pytest.mark.parametrize("quality", [1, 20, 50, 75, 90, 95, 100])
def test_quality_is_read_from_the_tables(photo, quality):
    assert _jpegtran.quality(jpeg(photo, quality=quality)) == quality


def test_like_a_plain_reference(photo):
    reference = np.rint(photo @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    ours = pixels_of(run(BW, open_source(jpeg(photo, quality=92)), quality=92))
    assert structural_similarity(reference, ours) > 0.95


def test_the_same_bytes_every_time(photo):
    data = jpeg(photo)
    for options in ({}, {"mode": "dither"}, {"mode": "otsu"}):
        first, second = (run(BW, open_source(data), format="auto", **options).image for _ in range(2))
        if isinstance(first, np.ndarray):  # without libturbojpeg the grey planes are the runtime's to encode
            assert np.array_equal(first, second)
        else:
            assert first == second


def test_output_pixels_are_the_photos(photo):
    source = ArraySource(photo)
    assert BW.output_pixels(source.header, BW.Params()) == 384 * 512
