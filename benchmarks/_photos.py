"""Photo-like JPEGs, deterministic in their seed: soft light, shapes and sensor noise."""

from __future__ import annotations

import io

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def variant(data: bytes, number: int, quality: int = 90) -> bytes:
    """Another photo with the same content: turned around its left edge by `number` blocks of 16 pixels."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    out = io.BytesIO()
    Image.fromarray(np.roll(pixels, 16 * number, axis=1)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    """`(h, w, 3)` RGB."""
    return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"), np.uint8)


def turned(pixels: NDArray[np.uint8], number: int, quality: int = 90) -> bytes:
    """What `variant` makes, quickly: for many large ones."""
    moved = np.ascontiguousarray(np.roll(pixels, 16 * number, axis=1))
    return bytes(simplejpeg.encode_jpeg(moved, quality=quality, colorsubsampling="420"))


def photo(seed: int, width: int = 1152, height: int = 864, quality: int = 90) -> bytes:
    """A JPEG of `width` × `height`; no two seeds give the same bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(80, 400) + y / rng.uniform(80, 400) + k) for k in range(3)]
    light = np.stack(waves, axis=-1) * 60 + rng.uniform(90, 160, 3)
    image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        cx, cy, r = rng.integers(0, width), rng.integers(0, height), rng.integers(10, height // 5)
        fill = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.ellipse((int(cx - r), int(cy - r), int(cx + r), int(cy + r)), fill=fill)
    noisy = np.asarray(image, dtype=np.int16) + rng.normal(0, 6, (height, width, 3)).astype(np.int16)
    out = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()
