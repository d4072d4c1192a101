"""From an upright photo to a network's input as its weights' `InputMeta` says, and the way back.

    placed   the input tensor, and where on it the photo lies
    content  the part of the input that shows the photo: x, y, width, height in input pixels
    region   the part of the photo that is shown: x, y, width, height in pixels of the upright photo

Photos are decoded no larger than the input needs (a JPEG to 1/2, 1/4 or 1/8). Shrinking by less than two is
bilinear, as the networks' own code does it; beyond, by area, so that nothing is skipped. Arrays are
C-contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array, BadImage, Header, Source, Tensor
from model_images.runtime.metadata import InputMeta

Box = tuple[float, float, float, float]
MAX_INPUT_PIXELS = 32_000_000  # of a network without a size of its own


@dataclass(frozen=True)
class Placed:
    """`tensor` is `(1, channels, height, width)` float32. `pixels` is what it was made of: `(h, w, 3)` RGB or
    `(h, w)` grey, resized, without padding."""

    tensor: Tensor
    pixels: Array
    content: tuple[int, int, int, int]
    region: Box

    def to_photo(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(n, 4)` x1, y1, x2, y2 in input pixels to the same in pixels of the photo, unclipped."""
        left, top, width, height = self.content
        x, y, across, down = self.region
        scale = np.array([across / width, down / height] * 2, np.float32)
        moved = (boxes - np.array([left, top] * 2, np.float32)) * scale
        return np.asarray(moved + np.array([x, y] * 2, np.float32), np.float32)


@dataclass(frozen=True)
class Plan:
    """Sizes, before anything is decoded: `input` and `content` as in Placed, `resized` (width, height) is
    what the whole photo is resized to, `cut` where the content starts in that."""

    width: int
    height: int
    content: tuple[int, int, int, int]
    resized: tuple[int, int]
    cut: tuple[int, int] = (0, 0)

    def region(self, header: Header) -> Box:
        across, down = header.width / self.resized[0], header.height / self.resized[1]
        return (
            self.cut[0] * across,
            self.cut[1] * down,
            self.content[2] * across,
            self.content[3] * down,
        )


def plan(header: Header, meta: InputMeta, longest: int | None = None) -> Plan:
    """How this photo fits the input. `longest` bounds the longest side of a `native` input. Raises BadImage
    `too_many_pixels` when a network without a size of its own would get too large an input."""
    made = {"letterbox": _letterbox, "stretch": _stretch, "crop": _crop, "native": _native}[meta.resize](
        header, meta, longest
    )
    if made.width * made.height > MAX_INPUT_PIXELS:
        raise BadImage(
            "too_many_pixels",
            f"The network would have to work on {made.width} × {made.height} pixels; at most "
            f"{MAX_INPUT_PIXELS / 1e6:g} million can be used. Reduce the photo first.",
        )
    return made


def place(source: Source, meta: InputMeta, longest: int | None = None) -> Placed:
    """The photo as the network wants it. Raises BadImage."""
    fitted = plan(source.header, meta, longest)
    width, height = fitted.resized
    decode = source.gray if meta.color == "gray" else source.rgb
    return placed(decode(min_width=width, min_height=height), source.header, meta, fitted)


def placed(decoded: Array, header: Header, meta: InputMeta, fitted: Plan) -> Placed:
    """The same from a photo that is decoded already, to grey where `meta.color` is gray."""
    left, top, width, height = fitted.content
    x, y = fitted.cut
    pixels = resized(decoded, *fitted.resized)[y : y + height, x : x + width]
    right, below = fitted.width - left - width, fitted.height - top - height
    whole: Array = pixels
    if meta.resize == "letterbox" and (left or top or right or below):
        value = (meta.pad_value,) * 3
        border = cv2.BORDER_CONSTANT
        whole = np.asarray(cv2.copyMakeBorder(pixels, top, below, left, right, border, value=value), np.uint8)
    elif right or below:
        whole = reflected(pixels, right, below)
    return Placed(to_tensor(whole, meta), pixels, fitted.content, fitted.region(header))


def in_colour(source: Source, photo: Placed) -> Array:
    """The part of the photo that the network sees, `(h, w, 3)` RGB, even where the network is given grey."""
    if photo.pixels.ndim == 3:
        return photo.pixels
    height, width = photo.pixels.shape
    image = source.rgb(min_width=width, min_height=height)
    across, down = image.shape[1] / source.header.width, image.shape[0] / source.header.height
    x, y, region_width, region_height = photo.region
    left, top = int(x * across), int(y * down)
    right, below = left + round(region_width * across), top + round(region_height * down)
    return image[top : max(below, top + 1), left : max(right, left + 1)]


def to_tensor(image: Array, meta: InputMeta) -> Tensor:
    """`(h, w, 3)` RGB or `(h, w)` grey to `(1, channels, h, w)`: (v * scale - mean) / std, in the order of
    `color`."""
    planes = [image] if image.ndim == 2 else list(cv2.split(image))
    if meta.color == "bgr":
        planes.reverse()
    if len(planes) < meta.channels:
        planes *= meta.channels
    tensor = np.empty((1, meta.channels, *image.shape[:2]), np.float32)
    for channel in range(meta.channels):
        mean, std = (values[min(channel, len(values) - 1)] for values in (meta.mean, meta.std))
        np.multiply(planes[channel], np.float32(meta.scale / std), out=tensor[0, channel], dtype=np.float32)
        if mean:
            tensor[0, channel] -= np.float32(mean / std)
    return tensor


def resized(image: Array, width: int, height: int) -> Array:
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= 2 * height or image.shape[1] >= 2 * width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def reflected(image: Array, right: int, below: int) -> Array:
    """`image` continued by its mirror image; where that is too small, again and again."""
    height, width = image.shape[:2]
    rows = _mirror(height, height + below)
    columns = _mirror(width, width + right)
    return np.ascontiguousarray(image[rows][:, columns])


def _mirror(size: int, wanted: int) -> NDArray[np.intp]:
    """Indices 0, 1, …, size - 1, size - 2, …, 0, 1, … up to `wanted` of them; the edge is not repeated."""
    if size == 1:
        return np.zeros(wanted, np.intp)
    there = np.arange(wanted) % (2 * size - 2)
    return np.minimum(there, 2 * size - 2 - there)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _letterbox(header: Header, meta: InputMeta, longest: int | None) -> Plan:
    """Padding is split evenly; the odd pixel goes to the right and below (the original's ±0.1 rounding)."""
    if meta.width and meta.height:
        scale = min(meta.width / header.width, meta.height / header.height)
    else:
        scale = (meta.resize_to or longest or 640) / max(header.width, header.height)
    width, height = (max(1, round(side * scale)) for side in (header.width, header.height))
    across = meta.width or _up(width, meta.multiple)
    down = meta.height or _up(height, meta.multiple)
    width, height = min(width, across), min(height, down)
    left, top = (round(room / 2 - 0.1) for room in (across - width, down - height))
    return Plan(across, down, (left, top, width, height), (width, height))


def _stretch(header: Header, meta: InputMeta, longest: int | None) -> Plan:
    if not (meta.width and meta.height):
        return _native(header, meta, longest)
    size = (meta.width, meta.height)
    return Plan(*size, (0, 0, *size), size)


def _crop(header: Header, meta: InputMeta, longest: int | None) -> Plan:
    """As torchvision: the longer side is cut off to whole pixels, the centre rounded half to even."""
    across, down = meta.width or meta.resize_to or 224, meta.height or meta.resize_to or 224
    shorter = max(meta.resize_to or 0, 1)
    if header.width <= header.height:
        size = (shorter, max(1, shorter * header.height // header.width))
    else:
        size = (max(1, shorter * header.width // header.height), shorter)
    if size[0] < across or size[1] < down:  # the crop must lie within the photo
        scale = max(across / header.width, down / header.height)
        size = (max(across, round(header.width * scale)), max(down, round(header.height * scale)))
    cut = (round((size[0] - across) / 2), round((size[1] - down) / 2))
    return Plan(across, down, (0, 0, across, down), size, cut)


def _native(header: Header, meta: InputMeta, longest: int | None) -> Plan:
    scale = min(
        1.0,
        (longest or meta.resize_to or max(header.width, header.height)) / max(header.width, header.height),
    )
    size = (max(1, round(header.width * scale)), max(1, round(header.height * scale)))
    return Plan(_up(size[0], meta.multiple), _up(size[1], meta.multiple), (0, 0, *size), size)
