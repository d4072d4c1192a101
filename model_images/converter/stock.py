"""The stock photos, and the input that serving would make of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_images.converter import limits
from model_images.runtime import tensors
from model_images.runtime.contract import Tensor
from model_images.runtime.imageio import PhotoSource, open_source
from model_images.runtime.metadata import InputMeta

FOLDER = Path(__file__).resolve().parents[1] / "stock"
NAMES = ("astronaut.jpg", "cat.jpg", "coffee.jpg")
OBLONG = NAMES[2]  # 3:2; the first is square


def source(name: str = NAMES[0]) -> PhotoSource:
    return open_source((FOLDER / name).read_bytes())


def tensor(meta: InputMeta, name: str = NAMES[0], *, flat: bool = False) -> Tensor:
    """One input as serving makes it, float32: `(1, channels, height, width)`; about TRIAL_SIDE where the size
    is free. Noise from a fixed seed where the network takes no photo: `(1, latent, 1, 1)`, or `(1, latent)`
    if `flat`."""
    if meta.latent:
        noise = np.random.default_rng(0).standard_normal((1, meta.latent), dtype=np.float32)
        return noise if flat else noise[:, :, None, None]
    return tensors.place(source(name), meta, limits.TRIAL_SIDE).tensor


def oblong(meta: InputMeta) -> Tensor | None:
    """An input that isn't square, for detectors that promise to take any: their grids depend on the size.
    None for all other networks."""
    return tensor(meta, OBLONG) if meta.resize == "letterbox" and meta.width is None else None
