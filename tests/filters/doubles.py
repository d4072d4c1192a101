"""Arrays in, arrays out: what the filters' tests need around them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from model_images.runtime.contract import Array, Context, Encoded, Header, Result

NOTHING = Context()


class ArraySource:
    """A photo that is an array already. `asked` lists the calls, as (kind, min_width, min_height)."""

    def __init__(self, pixels: Array) -> None:
        self.pixels = pixels
        self.header = Header("png", pixels.shape[1], pixels.shape[0])
        self.data = b""
        self.asked: list[tuple[str, int, int]] = []

    def rgb(self, min_width: int = 0, min_height: int = 0) -> Array:
        self.asked.append(("rgb", min_width, min_height))
        return self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[:, :, None], 3, axis=2)

    def gray(self, min_width: int = 0, min_height: int = 0) -> Array:
        self.asked.append(("gray", min_width, min_height))
        return self.pixels if self.pixels.ndim == 2 else cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)


def run(processor, pixels, context: Context = NOTHING, **options) -> Result:
    """`processor` over an array or a source."""
    source = ArraySource(pixels) if isinstance(pixels, np.ndarray) else pixels
    return processor.process(source, processor.Params(**options), context)


def pixels_of(result: Result | Encoded) -> Array:
    """`(h, w, 3)`, or `(h, w)` where the picture is grey by type."""
    image = result.image if isinstance(result, Result) else result
    if isinstance(image, np.ndarray):
        return image
    opened = Image.open(io.BytesIO(image.data))
    opened.load()
    assert opened.size == (image.width, image.height)
    return np.asarray(opened if opened.mode == "L" else opened.convert("RGB"))


def jpeg(pixels: Array, quality: int = 85, orientation: int = 1, sampling: str = "420") -> bytes:
    if pixels.ndim == 2:
        data = simplejpeg.encode_jpeg(pixels[:, :, None], quality=quality, colorspace="GRAY")
    else:
        data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling=sampling)
    if orientation == 1:
        return data
    exif = Image.Exif()
    exif[274] = orientation
    body = exif.tobytes()
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]
