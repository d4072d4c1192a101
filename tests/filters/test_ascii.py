from __future__ import annotations

from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from model_images.filters import _glyphs
from model_images.filters.ascii import Ascii
from model_images.runtime.contract import Context, Encoded
from model_images.runtime.imageio import open_source
from tests.filters.doubles import ArraySource, jpeg, pixels_of, run

ART = Ascii()
FULL = "#"  # the one of the simple set with the most ink in our font
HALVES = np.repeat(np.array([[0] * 20 + [255] * 20], np.uint8), 40, axis=0)  # left black, right white


class Reader(HTMLParser):
    """Collects the text of the one <pre>, the tags inside and every attribute."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.inside, self.text, self.tags, self.attributes = False, "", set(), []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [value for _, value in attrs]
        if self.inside:
            self.tags.add(tag)
        self.inside = self.inside or tag == "pre"

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "pre"

    def handle_data(self, data):
        if self.inside:
            self.text += data


def test_exact_text():
    result = run(ART, HALVES, columns=20)
    assert result.text == (" " * 10 + FULL * 10 + "\n") * 10


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"background": "light"}, FULL * 10 + " " * 10),
        ({"invert": True}, FULL * 10 + " " * 10),
        ({"invert": True, "background": "light"}, " " * 10 + FULL * 10),
        ({"charset": "blocks"}, " " * 10 + "█" * 10),
        ({"charset": "braille"}, "⠀" * 10 + "⣿" * 10),
        ({"charset": "custom", "characters": "ab"}, "a" * 10 + "b" * 10),
    ],
)
def test_light_and_dark(options, line):
    assert run(ART, HALVES, columns=20, **options).text.splitlines()[0] == line


def test_own_characters_share_the_tones_evenly():
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None], 512, axis=0)
    text = run(ART, ramp, columns=256, charset="custom", characters="abcd").text.splitlines()[0]
    assert text == "a" * 64 + "b" * 64 + "c" * 64 + "d" * 64


def test_blocks_share_the_tones_by_nearest():
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None], 512, axis=0)
    text = run(ART, ramp, columns=256, charset="blocks").text.splitlines()[0]
    assert text == " " * 33 + "░" * 64 + "▒" * 63 + "▓" * 64 + "█" * 32


def test_denser_characters_have_more_ink():
    for charset, least in (("simple", 10), ("dense", 40)):
        ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None], 512, axis=0)
        line = run(ART, ramp, columns=256, charset=charset).text.splitlines()[0]
        ink = _glyphs.ink(line)
        assert (np.diff(ink) >= 0).all()
        assert len(set(line)) >= least


@pytest.mark.parametrize(
    ("dot", "char"),
    [
        ((0, 0), "⠁"),
        ((1, 0), "⠂"),
        ((2, 0), "⠄"),
        ((3, 0), "⡀"),
        ((0, 1), "⠈"),
        ((1, 1), "⠐"),
        ((2, 1), "⠠"),
        ((3, 1), "⢀"),
    ],
)
def test_braille_dots_by_unicodes_numbering(dot, char):
    picture = np.zeros((40, 40), np.uint8)
    picture[dot] = 255
    assert run(ART, picture, columns=20, charset="braille").text[0] == char


def test_the_shape_of_the_text(photo):
    for aspect, rows in ((0.5, 38), (0.3, 22), (0.7, 52)):
        lines = run(ART, photo, columns=100, font_aspect=aspect).text.split("\n")
        assert len(lines) == rows + 1
        assert lines[-1] == ""
        assert {len(line) for line in lines[:-1]} == {100}


def test_contrast_spreads_tones(photo):
    plain, strong = (run(ART, photo, contrast=c).text for c in (1, 4))
    assert strong.count(" ") > plain.count(" ")


# -- picture ----------------------------------------------------------------------------------------------


def test_the_picture_is_made_of_the_characters_shapes():
    result = run(ART, HALVES, columns=20)
    image = pixels_of(result)[..., 0].astype(int)
    assert image.shape == (160, 160)
    shape = _glyphs.atlas(FULL, 8, 16)[0].astype(int)
    expected = 17 + (238 - 17) * shape / 255
    assert np.abs(image[:16, 80:88] - expected).max() <= 8  # 16 levels
    assert (image[:, :80] == 17).all()
    assert (image[16:32, 80:88] == image[:16, 80:88]).all()


def test_blocks_meet_without_gaps():
    for size in (8, 11, 32):
        image = pixels_of(run(ART, HALVES, columns=20, charset="blocks", font_size=size))
        half = image.shape[1] // 2
        assert (image[:, half:] == 238).all()
        assert (image[:, :half] == 17).all()


def test_block_elements():
    upper, lower, left, right, shade, quadrant = _glyphs.atlas("▀▄▌▐▒▛", 8, 16)
    assert (upper[:8] == 255).all() and not upper[8:].any()
    assert (lower == 255 - upper).all()
    assert (left[:, :4] == 255).all() and not left[:, 4:].any()
    assert (right == 255 - left).all()
    assert (shade == 128).all()
    assert not quadrant[8:, 4:].any() and (quadrant[:8] == 255).all() and (quadrant[8:, :4] == 255).all()


def test_braille_shapes():
    one, all_ = _glyphs.atlas("⠁⣿", 8, 16)
    assert one[:4, :4].any() and not one[4:].any() and not one[:, 4:].any()
    assert (all_[:4, :4] == one[:4, :4]).all() and (all_[12:, 4:] == one[:4, :4]).all()


def test_a_whole_picture_still_looks_like_the_photo(photo):
    image = pixels_of(run(ART, photo, columns=200, charset="blocks"))[..., 0]
    small = cv2.resize(image, (200, 75), interpolation=cv2.INTER_AREA)
    gray = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (200, 75), interpolation=cv2.INTER_AREA)
    assert structural_similarity(small, gray) > 0.7  # five tones


# -- colour -----------------------------------------------------------------------------------------------


def colour_bars():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, :20] = [255, 0, 0]
    picture[:, 20:] = [0, 0, 255]
    return picture


def test_colour_behind():
    result = run(ART, colour_bars(), columns=20, color="background")
    assert result.html.count('<span style="background:#f00;color:#fff">') == 10
    assert result.html.count('<span style="background:#00f;color:#fff">') == 10
    image = pixels_of(result)
    assert image.shape == (160, 160, 3)
    assert image[0, 0].tolist() == [255, 0, 0]
    assert image[0, 159].tolist() == [0, 0, 255]


def test_black_ink_on_light_colours():
    result = run(ART, np.full((40, 40, 3), 255, np.uint8), columns=20, color="background")
    assert result.html.count('<span style="background:#fff;color:#000">') == 10
    assert pixels_of(result).min() < 60


def test_colour_in_front():
    result = run(ART, colour_bars(), columns=20, color="foreground")
    assert result.html.count('<span style="color:#f00">') == 10
    image = pixels_of(result)
    left, right = image[:, :80], image[:, 80:]
    assert left[..., 0].max() > 150 and left[..., 2].max() <= 17
    assert right[..., 2].max() > 100 and right[..., 0].max() <= 17


def test_a_dark_colour_is_not_darkened_twice():
    dim = np.full((40, 40, 3), [80, 0, 0], np.uint8)
    assert '<span style="color:#f00">' in run(ART, dim, columns=20, color="foreground").html
    light = run(ART, dim, columns=20, color="foreground", background="light")
    assert '<span style="color:#500">' in light.html


def test_only_grey_is_decoded_without_colour(photo):
    for options, asked in (
        ({}, ("gray", 100, 38)),
        ({"charset": "braille"}, ("gray", 200, 152)),
        ({"color": "foreground"}, ("rgb", 100, 38)),
    ):
        source = ArraySource(photo)
        run(ART, source, columns=100, **options)
        assert source.asked == [asked]


# -- HTML -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["none", "foreground", "background"])
def test_html_says_what_the_text_says_and_is_escaped(photo, color):
    result = run(ART, photo, charset="custom", characters=" <&>\"'", color=color, columns=80)
    read = Reader(result.html)
    assert read.text == result.text.rstrip("\n")
    assert read.tags <= {"span"}


def test_html_needs_nothing_else(photo):
    html = run(ART, photo, color="foreground").html
    for outside in ("http:", "https:", "src=", "url(", "@import", "<script", "<link"):
        assert outside not in html


def test_characters_cannot_close_the_element(photo):
    html = run(ART, photo, charset="custom", characters="</pre><script>").html
    assert html.count("</pre>") == 1
    assert "<script" not in html


# -- limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"columns": 400},
        {"font_size": 9, "font_aspect": 0.33},
        {"charset": "braille"},
        {"color": "foreground"},
    ],
)
def test_output_pixels_are_told_right(photo, options):
    result = run(ART, photo, **options)
    height, width = pixels_of(result).shape[:2]
    assert ART.output_pixels(ArraySource(photo).header, ART.Params(**options)) == height * width


def test_a_tall_photo_is_refused_by_its_output_before_any_work():
    source = ArraySource(np.zeros((1, 1), np.uint8))
    tall = type(source.header)("png", 10, 1_000_000)
    assert ART.output_pixels(tall, ART.Params(columns=400)) > 10**9


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"columns": 19}, "columns"),
        ({"columns": 401}, "columns"),
        ({"charset": "custom"}, "characters"),
        ({"charset": "custom", "characters": "a"}, "characters"),
        ({"charset": "custom", "characters": "aaaa"}, "characters"),
        ({"charset": "custom", "characters": "a\n"}, "characters"),
        ({"charset": "custom", "characters": "a\x00"}, "characters"),
        ({"charset": "custom", "characters": "a\x1b"}, "characters"),
        ({"charset": "custom", "characters": "a\u200b"}, "characters"),
        ({"charset": "custom", "characters": "a\u0301"}, "characters"),
        ({"charset": "custom", "characters": "a漢"}, "characters"),
        ({"charset": "custom", "characters": "a\U0001f600"}, "characters"),
        ({"charset": "custom", "characters": "a\u1200"}, "characters"),  # not in the font
        ({"charset": "custom", "characters": "a\u2003"}, "characters"),
        ({"charset": "custom", "characters": "ab" * 65}, "characters"),
        ({"font_aspect": 0.2}, "font_aspect"),
        ({"font_size": 33}, "font_size"),
        ({"charset": "emoji"}, "charset"),
    ],
)
def test_refused_options(options, field):
    with pytest.raises(ValidationError) as caught:
        ART.Params(**options)
    assert caught.value.errors()[0]["loc"] == (field,)


def test_characters_of_other_scripts_are_welcome():
    assert ART.Params(charset="custom", characters=" ·aЖλ█⣿").characters == " ·aЖλ█⣿"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_tiny_and_narrow_photos(shape):
    pixels = np.full(shape, 200, np.uint8)
    for options in ({}, {"charset": "braille"}, {"color": "foreground"}):
        result = run(ART, pixels, columns=20, **options)
        assert {len(line) for line in result.text.splitlines()} == {20}


def test_all_three_from_one_run_and_the_same_every_time(photo):
    data = jpeg(photo)
    first, second = (run(ART, open_source(data), color="none") for _ in range(2))
    assert first == second
    assert isinstance(first.image, Encoded)
    assert first.text and first.html
    coloured = [run(ART, open_source(data), color="foreground") for _ in range(2)]
    assert coloured[0] == coloured[1]
    assert coloured[0].html == coloured[1].html


@pytest.mark.parametrize("color", ["none", "foreground"])
def test_what_nobody_will_see_is_not_made(photo, color):
    everything = run(ART, photo, color=color)
    text, page = (run(ART, photo, Context(only=kind), color=color) for kind in ("text", "html"))

    assert (text.text, text.html, text.image) == (everything.text, None, None)
    assert (page.html, page.image) == (everything.html, None)
    assert run(ART, photo, Context(only="image"), color=color).image == everything.image
