from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from model_images.filters import _palettes
from model_images.filters.pixelart import PixelArt
from model_images.runtime.contract import BadImage, Context, Encoded
from model_images.runtime.imageio import open_source
from tests.filters.doubles import ArraySource, jpeg, pixels_of, run

ART = PixelArt()
RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
FOUR = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)


def blocks(small, side):
    return small.repeat(side, axis=0).repeat(side, axis=1)


@pytest.mark.parametrize("dither", ["none", "floyd_steinberg", "atkinson"])
def test_a_picture_of_few_colours_stays_as_it_is(dither):
    picture = blocks(FOUR, 4)
    result = run(ART, picture, block_size=4, palette_size=4, dither=dither)
    assert (pixels_of(result) == picture).all()
    assert sorted(result.data["palette"]) == ["#0000ff", "#00ff00", "#ff0000", "#ffffff"]
    assert (result.data["width"], result.data["height"]) == (2, 2)


def test_a_block_has_the_nearest_colour_to_its_mean():
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:, :2] = [[0, 0, 0], [100, 100, 100]]  # mean 50: nearer to black
    picture[:, 2:] = [[255, 255, 255], [100, 100, 100]]  # mean 178: nearer to white
    result = run(ART, picture, block_size=2, palette="own", colors=("#000000", "#ffffff"))
    assert pixels_of(result)[..., 0].tolist() == [[0, 0, 255, 255]] * 2


def test_the_last_blocks_are_cut_not_stretched():
    picture = np.zeros((5, 7, 3), np.uint8)
    picture[4:] = WHITE
    picture[:, 6:] = WHITE
    result = run(ART, picture, block_size=2, palette="own", colors=("#000000", "#ffffff"))
    assert (pixels_of(result) == picture).all()


def test_one_pixel_a_block_without_upscale():
    result = run(ART, blocks(FOUR, 4), block_size=4, palette_size=4, upscale=False)
    assert (pixels_of(result) == FOUR).all()


def test_width_counts_blocks(photo):
    result = run(ART, photo, width=100, upscale=False)
    assert (result.image.width, result.image.height) == (100, 75)
    result = run(ART, photo, width=100)
    assert (result.image.width, result.image.height) == (512, 384)
    assert result.data["width"] == 100


def test_more_blocks_than_pixels_are_as_many_as_pixels():
    result = run(ART, FOUR, width=1024, palette_size=4)
    assert (pixels_of(result) == FOUR).all()


@pytest.mark.parametrize("name", _palettes.NAMES)
def test_named_palettes_give_their_colours_only(photo, name):
    allowed = {tuple(colour) for colour in _palettes.named(name).tolist()}
    for dither in ("none", "bayer", "floyd_steinberg", "atkinson"):
        result = run(ART, photo[::4, ::4], palette=name, dither=dither, block_size=4)
        seen = {tuple(colour) for colour in pixels_of(result).reshape(-1, 3).tolist()}
        assert seen <= allowed
        assert len(seen) > 2


def test_sizes_of_the_named_palettes():
    sizes = {name: len(np.unique(_palettes.named(name), axis=0)) for name in _palettes.NAMES}
    assert sizes == {"gameboy": 4, "pico8": 16, "c64": 16, "cga": 16, "nes": 55}


@pytest.mark.parametrize(("size", "bits"), [(2, 1), (4, 2), (16, 4), (17, 8), (256, 8)])
def test_the_png_uses_as_few_bits_as_will_do(photo, size, bits):
    result = run(ART, photo, palette_size=size, block_size=3)
    assert len(result.data["palette"]) <= size
    assert result.image.data[24] == bits
    expected = run(ART, photo, palette_size=size, block_size=3, format="webp").image
    assert (pixels_of(result) == expected).all()


def test_the_png_is_sound_to_a_strict_reader(photo):
    image = Image.open(io.BytesIO(run(ART, photo, block_size=5).image.data))
    image.verify()


def test_dithering_mixes_what_the_palette_lacks():
    grey = np.full((64, 64, 3), 128, np.uint8)
    for dither in ("bayer", "floyd_steinberg", "atkinson"):
        result = run(
            ART,
            grey,
            block_size=2,
            palette="own",
            colors=("#404040", "#c0c0c0"),
            dither=dither,
            dither_strength=1,
        )
        assert 100 < pixels_of(result).mean() < 156, dither


def test_bayer_strength_of_nothing_is_no_dithering(photo):
    plain = run(ART, photo, palette="pico8")
    assert run(ART, photo, palette="pico8", dither="bayer", dither_strength=0).image == plain.image


def test_many_colours_look_like_the_photo(photo):
    result = run(ART, photo, block_size=2, palette_size=256)
    reference = Image.fromarray(photo).resize((256, 192), Image.Resampling.BOX).resize((512, 384), 0)
    score = structural_similarity(np.asarray(reference), pixels_of(result), channel_axis=2)
    assert score > 0.93


def test_our_palette_is_no_worse_than_median_cut(photo):
    small = np.asarray(Image.fromarray(photo).resize((128, 96), Image.Resampling.BOX))
    theirs = np.asarray(Image.fromarray(small).quantize(16, dither=Image.Dither.NONE).convert("RGB"))
    ours = pixels_of(run(ART, photo, block_size=4, palette_size=16, upscale=False))
    error = [np.square(small.astype(int) - picture).mean() for picture in (ours, theirs)]
    assert error[0] < error[1]


@pytest.mark.parametrize("block", [2, 4, 7, 8, 16, 31, 64])
def test_a_reduced_decode_gives_the_same_picture(photo, block):
    data = jpeg(photo, quality=95)
    exact = ArraySource(open_source(data).rgb())
    full, reduced = (
        run(ART, source, block_size=block, palette_size=256, upscale=False)
        for source in (exact, open_source(data))
    )
    difference = np.abs(pixels_of(full).astype(int) - pixels_of(reduced))
    assert difference.mean() < 5


@pytest.mark.parametrize(
    ("block", "asked"), [(8, (64, 48)), (4, (128, 96)), (6, (256, 192)), (3, (512, 384)), (31, (128, 96))]
)
def test_asks_for_no_more_than_it_needs(photo, block, asked):
    source = ArraySource(photo)
    run(ART, source, block_size=block)
    assert source.asked == [("rgb", *asked)]


def test_a_shared_palette_is_shared(photo, other_photo):
    params = ART.Params(shared_palette=True, palette_size=8)
    shared = ART.fit([ArraySource(photo), ArraySource(other_photo)], params)
    context = Context(shared=shared)
    results = [ART.process(ArraySource(p), params, context) for p in (photo, other_photo)]
    assert results[0].data["palette"] == results[1].data["palette"] == shared["palette"]
    assert len(shared["palette"]) == 8
    apart = [run(ART, p, palette_size=8).data["palette"] for p in (photo, other_photo)]
    assert apart[0] != apart[1]


def test_fit_looks_at_every_photo():
    red, blue = (np.full((70, 70, 3), colour, np.uint8) for colour in (RED, BLUE))
    shared = ART.fit([ArraySource(red), ArraySource(blue)], ART.Params(shared_palette=True))
    assert sorted(shared["palette"]) == ["#0000ff", "#ff0000"]


class Unreadable(ArraySource):
    def rgb(self, min_width=0, min_height=0):
        raise BadImage("corrupt", "The file is damaged.")


def test_fit_leaves_out_what_cannot_be_read(photo):
    params = ART.Params(shared_palette=True, palette_size=8)
    alone = ART.fit([ArraySource(photo)], params)
    assert ART.fit([Unreadable(photo), ArraySource(photo)], params) == alone
    assert ART.fit([Unreadable(photo)], params) is None


def test_nothing_is_shared_unless_asked(photo):
    assert ART.fit([ArraySource(photo)], ART.Params()) is None
    assert ART.fit([ArraySource(photo)], ART.Params(shared_palette=True, palette="nes")) is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"upscale": False},
        {"width": 77},
        {"width": 77, "upscale": False},
        {"block_size": 7, "upscale": False},
    ],
)
def test_output_pixels_are_told_right(photo, options):
    source = ArraySource(np.ascontiguousarray(photo[:301, :403]))
    image = run(ART, source, **options).image
    assert isinstance(image, Encoded)
    assert ART.output_pixels(source.header, ART.Params(**options)) == image.width * image.height


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_and_narrow_photos(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for options in (
        {},
        {"width": 50},
        {"dither": "bayer"},
        {"dither": "floyd_steinberg"},
        {"format": "jpeg"},
    ):
        assert pixels_of(run(ART, pixels, **options)).shape == pixels.shape


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"block_size": 1}, "block_size"),
        ({"block_size": 65}, "block_size"),
        ({"palette_size": 257}, "palette_size"),
        ({"width": 1025}, "width"),
        ({"palette": "own"}, "colors"),
        ({"palette": "own", "colors": ["#ff0000"]}, "colors"),
        ({"palette": "own", "colors": ["#ff0000", "#FF0000"]}, "colors"),
        ({"colors": ["red", "#00ff00"]}, "colors"),
        ({"colors": ["#ff000", "#00ff00"]}, "colors"),
        ({"colors": ["#ff0000\n", "#00ff00"]}, "colors"),
        ({"colors": [f"#{i:06x}" for i in range(257)]}, "colors"),
        ({"dither_strength": 1.5}, "dither_strength"),
        ({"dither": "random"}, "dither"),
        ({"size": 3}, "size"),
    ],
)
def test_refused_options(options, field):
    with pytest.raises(ValidationError) as caught:
        ART.Params(**options)
    assert caught.value.errors()[0]["loc"][0] == field


def test_the_same_bytes_every_time(photo):
    data = jpeg(photo)
    for options in ({}, {"dither": "atkinson"}, {"palette_size": 200}):
        first, second = (run(ART, open_source(data), **options) for _ in range(2))
        assert first.image == second.image
        assert first.data == second.data
