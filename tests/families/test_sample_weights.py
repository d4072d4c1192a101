"""The weights that are shipped, through the processors that run them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from model_images.classifier import demo_picture
from model_images.converter.stock import FOLDER as STOCK
from model_images.runtime.contract import Context
from model_images.runtime.imageio import open_source
from model_images.runtime.registry import processors
from model_images.runtime.sessions import Session
from tests.families.held_out_digits import digits

SAMPLES = STOCK.parent / "samples"
SLUGS = ("comic", "digits")


def _run(slug, data, **options):
    context = Context(weights=Session(SAMPLES / f"{slug}.onnx"))
    processor = processors()[context.network.meta.family]
    return processor.process(open_source(data), processor.Params(**options), context)


def _png(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize("slug", SLUGS)
def test_card_says_what_the_file_says(slug):
    card = json.loads((SAMPLES / f"{slug}.json").read_text())
    meta = Session(SAMPLES / f"{slug}.onnx").meta

    assert (card["family"], card["task"], card["license"]) == (meta.family, meta.task, "Apache-2.0")
    assert card["labels"] == list(meta.classes)
    assert card["quality"] == meta.quality
    assert card["title"]
    assert card["description"]
    assert (card["price"], card["price_per_image"]) > (0, 0)


def _photo(ink, number):
    """A photo of that digit: of some size and shape, off centre, dark on light or light on dark."""
    height = (120, 300, 640)[number % 3]
    width = round(height * (0.8, 1.0, 1.3)[number // 3 % 3])
    side = round(min(width, height) * (0.7, 0.9)[number % 2])
    large = cv2.resize(ink, (side, side), interpolation=cv2.INTER_CUBIC)
    page = np.zeros((height, width), np.float32)
    top, left = (height - side) // 2, (width - side) // (2 + number % 2)
    page[top : top + side, left : left + side] = np.clip((large - 0.35) * 4, 0, 1)
    light = np.clip(230 - 190 * page, 0, 255)
    return (light if number % 4 < 2 else 255 - light).astype(np.uint8)


def test_digits_never_seen_are_read_from_photos():
    images, targets = digits()

    predicted = [
        _run("digits", _png(_photo(image, number))).data["predicted_id"]
        for number, image in enumerate(images)
    ]

    assert np.mean(np.array(predicted) == targets) >= 0.97


def test_digits_never_seen_are_read_as_they_are():
    images, targets = digits()

    results = [_run("digits", _png((255 - 255 * image).astype(np.uint8))).data for image in images]

    assert np.mean([r["predicted_id"] for r in results] == targets) >= 0.97
    assert results[0]["predicted_class"] == "zero"
    assert results[0]["predictor_name"] == "digit_classifier"


def _ink_and_flatness(image):
    """The part of nearly black pixels, and the part of neighbours that hardly differ."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int)
    return float(np.mean(gray < 45)), float(np.mean(np.abs(np.diff(gray, axis=1)) <= 3))


def test_comic_has_calm_areas_and_ink_lines():
    data = (STOCK / "cat.jpg").read_bytes()
    photo = open_source(data).rgb()

    made = _run("comic", data).image

    assert made.shape == photo.shape
    ink, flat = _ink_and_flatness(made)
    photo_ink, photo_flat = _ink_and_flatness(photo)
    assert ink > photo_ink
    assert flat > 1.15 * photo_flat


def test_strength_mixes_the_comic_into_the_photo():
    data = (STOCK / "coffee.jpg").read_bytes()
    photo = open_source(data).rgb().astype(float)

    half, whole = (_run("comic", data, strength=s).image.astype(float) for s in (0.5, 1.0))

    assert np.abs(half - (photo + whole) / 2).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (37, 61)])
def test_comic_of_any_size(height, width):
    photo = np.full((height, width, 3), 90, np.uint8)

    assert _run("comic", _png(photo)).image.shape == photo.shape


def test_the_listings_picture_shows_what_the_classifier_answers():
    """Drawn anew, it is the shipped file but for what JPEG loses."""
    picture, answers = demo_picture.drawn()
    shipped = cv2.cvtColor(cv2.imread(str(demo_picture.OUT)), cv2.COLOR_BGR2RGB)

    names = json.loads((SAMPLES / "digits.json").read_text())["labels"]
    assert [one["label"] for one in answers] == [names[row] for row, *_ in demo_picture.DRAWN]
    assert np.abs(picture.astype(int) - shipped).mean() < 4
