"""The stock photos, and the input tensor that a network wants of one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model_images.converter import limits
from model_images.runtime.contract import Array
from model_images.runtime.imageio import open_source
from model_images.runtime.metadata import InputMeta

FOLDER = Path(__file__).resolve().parents[1] / "stock"
NAMES = ("astronaut.jpg", "cat.jpg", "coffee.jpg")

Tensor = NDArray[np.float32]


@cache
def photo(name: str) -> Array:
    """`(h, w, 3)` RGB uint8."""
    return open_source((FOLDER / name).read_bytes()).rgb()


def tensor(meta: InputMeta, name: str = NAMES[0], *, flat: bool = False) -> Tensor:
    """One input as `InputMeta` says, float32: `(1, channels, height, width)`. Noise from a fixed seed where
    the network takes no photo: `(1, latent, 1, 1)`, or `(1, latent)` if `flat`."""
    if meta.latent:
        noise = np.random.default_rng(0).standard_normal((1, meta.latent), dtype=np.float32)
        return noise if flat else noise[:, :, None, None]
    width, height = size(meta)
    image = cv2.resize(photo(name), (width, height), interpolation=cv2.INTER_AREA)
    if meta.channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    elif meta.color == "bgr":
        image = image[:, :, ::-1]
    mean, std = (np.array(v[: meta.channels], dtype=np.float32) for v in (meta.mean, meta.std))
    scaled = (image.astype(np.float32) * np.float32(meta.scale) - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)


def size(meta: InputMeta) -> tuple[int, int]:
    """Width and height to try: what the network is fixed to, else about TRIAL_SIDE, as a multiple."""
    free = meta.resize_to or limits.TRIAL_SIDE
    free = -(-free // meta.multiple) * meta.multiple
    return meta.width or free, meta.height or free
