"""Making a photo small by area, and large again in blocks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

REDUCTIONS = (8, 4, 2)  # what a JPEG can be decoded to


def shrunk(image: Array, width: int, height: int) -> Array:
    """The mean of the area that each of `width` × `height` pixels covers; enlarges where it must."""
    if image.shape[:2] == (height, width):
        return image
    larger = image.shape[0] < height or image.shape[1] < width
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)


def padded(image: Array, width: int, height: int) -> Array:
    """Cut, or continued with its last row and column, to `width` × `height`."""
    image = image[:height, :width]
    down, right = height - image.shape[0], width - image.shape[1]
    if down or right:
        return cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(image)


def cells(source_size: int, count: int) -> NDArray[np.int64]:
    """`(count,)` how many of `source_size` pixels each of `count` cells covers: as equal as can be."""
    edges = np.arange(count + 1, dtype=np.int64) * source_size // count
    return np.diff(edges)


def blocks(source_size: int, block: int) -> NDArray[np.int64]:
    """`(n,)` how many of `source_size` pixels each block of `block` covers: all the same but the last."""
    count = -(-source_size // block)
    sizes = np.full(count, block, np.int64)
    sizes[-1] = source_size - block * (count - 1)
    return sizes


def enlarged(image: Array, widths: NDArray[np.int64], heights: NDArray[np.int64]) -> Array:
    """Each pixel as a block of its column's width and its row's height."""
    wide = np.repeat(image, widths, axis=1)
    out = np.empty((int(heights.sum()), *wide.shape[1:]), image.dtype)
    top = 0
    for row, height in zip(wide, heights.tolist(), strict=True):
        out[top : top + height] = row
        top += height
    return out
