"""From photo to input and back."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.runtime import tensors
from model_images.runtime.contract import BadImage, Header
from model_images.runtime.imageio import open_source
from model_images.runtime.metadata import InputMeta
from tests.filters.doubles import ArraySource
from tests.runtime import pictures


def flat(width, height, colour=(10, 20, 30)):
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("size", "content"),
    [
        ((128, 64), (0, 16, 64, 32)),
        ((64, 128), (16, 0, 32, 64)),
        ((64, 64), (0, 0, 64, 64)),
        ((10, 10), (0, 0, 64, 64)),
        ((100, 75), (0, 8, 64, 48)),
        ((64, 33), (0, 15, 64, 33)),  # 31 to pad: 15 above, 16 below
        ((4000, 1), (0, 31, 64, 1)),
    ],
)
def test_letterbox_keeps_the_shape_and_pads_evenly(size, content):
    placed = tensors.place(ArraySource(flat(*size)), InputMeta(width=64, height=64, resize="letterbox"))

    assert placed.content == content
    left, top, width, height = content
    inside = placed.tensor[0, :, top : top + height, left : left + width]
    assert np.allclose(inside, (np.array([10, 20, 30]) / 255)[:, None, None], atol=1e-6)
    outside = np.ones((64, 64), bool)
    outside[top : top + height, left : left + width] = False
    assert np.allclose(placed.tensor[0][:, outside], 114 / 255)


def test_letterbox_without_a_size_of_its_own_is_padded_to_the_multiple():
    meta = InputMeta(resize="letterbox", resize_to=100, multiple=32)

    placed = tensors.place(ArraySource(flat(200, 90)), meta)

    assert placed.tensor.shape == (1, 3, 64, 128)
    assert placed.content == (14, 9, 100, 45)


@pytest.mark.parametrize("size", [(64, 64), (1280, 720), (333, 1000), (17, 29)])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_a_box_on_the_photo_comes_back_from_the_input(size, resize):
    meta = InputMeta(width=64, height=64, resize=resize)
    placed = tensors.place(ArraySource(flat(*size)), meta)
    corners = np.array([[0, 0, *size], [size[0] / 4, size[1] / 3, size[0] / 2, size[1] / 2]], np.float32)
    scale = np.array([placed.content[2] / size[0], placed.content[3] / size[1]] * 2, np.float32)
    offset = np.array([placed.content[0], placed.content[1]] * 2, np.float32)

    assert np.allclose(placed.to_photo(corners * scale + offset), corners, atol=0.01)


def test_box_of_a_crop_comes_back_to_the_middle_of_the_photo():
    meta = InputMeta(width=50, height=50, resize="crop", resize_to=100)

    placed = tensors.place(ArraySource(flat(400, 200)), meta)  # resized to 200 × 100, cut at 75, 25

    assert placed.region == (150, 50, 100, 100)
    assert np.allclose(placed.to_photo(np.array([[0, 0, 50, 50]], np.float32)), [[150, 50, 250, 150]])


@pytest.mark.parametrize(
    ("size", "resized", "cut"),
    [
        ((500, 375), (341, 256), (58, 16)),  # torchvision: int(256 * 500 / 375), round((341 - 224) / 2)
        ((375, 500), (256, 341), (16, 58)),
        ((224, 224), (256, 256), (16, 16)),
    ],
)
def test_crop_is_where_torchvision_has_it(size, resized, cut):
    meta = InputMeta(width=224, height=224, resize="crop", resize_to=256)

    plan = tensors.plan(Header("jpeg", *size), meta)

    assert (plan.resized, plan.cut, plan.content) == (resized, cut, (0, 0, 224, 224))


def test_crop_larger_than_what_it_is_taken_from():
    placed = tensors.place(
        ArraySource(flat(30, 10)), InputMeta(width=64, height=64, resize="crop", resize_to=32)
    )

    assert placed.tensor.shape == (1, 3, 64, 64)


def test_native_is_mirrored_to_the_multiple():
    row = np.arange(5, dtype=np.uint8) * 10
    pixels = np.repeat(np.tile(row, (3, 1))[:, :, None], 3, axis=2)

    placed = tensors.place(ArraySource(pixels), InputMeta(resize="native", multiple=4, scale=1))

    assert placed.tensor.shape == (1, 3, 4, 8)
    assert placed.tensor[0, 0, 0].tolist() == [0, 10, 20, 30, 40, 30, 20, 10]
    assert placed.content == (0, 0, 5, 3)


def test_one_pixel_can_be_mirrored():
    placed = tensors.place(ArraySource(flat(1, 1)), InputMeta(resize="native", multiple=8, scale=1))

    assert np.array_equal(placed.tensor[0, 0], np.full((8, 8), 10))


def test_normalisation_and_order_of_channels():
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    rgb, bgr, gray = (
        tensors.place(
            ArraySource(flat(4, 4, (255, 102, 0))),
            InputMeta(
                width=4, height=4, color=color, mean=mean, std=std, channels=1 if color == "gray" else 3
            ),
        ).tensor
        for color in ("rgb", "bgr", "gray")
    )

    assert np.allclose(rgb[0, :, 0, 0], [(1 - 0.1) / 0.5, (0.4 - 0.2) / 0.25, -0.3 / 2], atol=1e-6)
    assert np.allclose(bgr[0, :, 0, 0], [-0.1 / 0.5, (0.4 - 0.2) / 0.25, (1 - 0.3) / 2], atol=1e-6)
    assert gray.shape == (1, 1, 4, 4)
    luma = round(0.299 * 255 + 0.587 * 102)
    assert np.allclose(gray[0, 0, 0, 0], (luma / 255 - 0.1) / 0.5, atol=1e-6)


def test_gray_for_three_channels_is_repeated():
    meta = InputMeta(width=4, height=4, color="gray", channels=3)

    tensor = tensors.place(ArraySource(flat(4, 4)), meta).tensor

    assert tensor.shape == (1, 3, 4, 4)
    assert np.array_equal(tensor[0, 0], tensor[0, 2])


def test_no_more_is_decoded_than_the_input_needs():
    source = ArraySource(flat(1000, 500))
    tensors.place(source, InputMeta(width=64, height=64, resize="letterbox"))
    assert source.asked == [("rgb", 64, 32)]

    large = open_source(pictures.jpeg(pictures.gradient(800, 600)))
    small = tensors.place(large, InputMeta(width=100, height=75)).tensor
    whole = tensors.resized(large.rgb(), 100, 75).transpose(2, 0, 1) / 255
    assert np.abs(small[0] - whole).max() < 0.02


def test_network_without_a_size_gets_no_input_without_bounds():
    huge = Header("jpeg", 9000, 5000)

    with pytest.raises(BadImage, match="Reduce the photo first"):
        tensors.plan(huge, InputMeta(resize="native"))
    assert tensors.plan(huge, InputMeta(resize="native"), 1000).content == (0, 0, 1000, 556)
