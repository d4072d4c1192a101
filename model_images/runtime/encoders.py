"""Encodes results. Nothing of the input's metadata is carried over: no GPS, no thumbnail, no profile
(sRGB)."""

from __future__ import annotations

import io

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image

from model_images.runtime.contract import Array, BadImage, Encoded

MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "text/html": ".html",
}
_MAX_SIDE = {"jpeg": 65_500, "png": 1_000_000, "webp": 16_383}
_WEBP_EFFORT = 1  # of 0 to 6; 4, the usual one, takes 2.3 times as long for 0.3 % fewer bytes


def encode(image: Array | Encoded, format: str = "auto", quality: int = 90, prefer: str = "jpeg") -> Encoded:
    """`image`, `(h, w, 3)` RGB or `(h, w)` grey, as a file. `auto` means `prefer`, or PNG where that format
    can't hold the size. What is encoded already is passed through.

    Raises BadImage `output_too_large` when a side is beyond what the named format can hold.
    """
    if isinstance(image, Encoded):
        return image
    check_array(image)
    height, width = image.shape[:2]
    chosen = prefer if format == "auto" else format
    if max(width, height) > _MAX_SIDE[chosen]:
        if format != "auto":
            raise BadImage(
                "output_too_large",
                f"The result would be {width} × {height} pixels; {format.upper()} holds sides up to "
                f"{_MAX_SIDE[chosen]}. Use PNG, or make it smaller.",
            )
        chosen = "png"
    make = {"jpeg": _jpeg, "png": _png, "webp": _webp}[chosen]
    return Encoded(make(np.ascontiguousarray(image), quality), MEDIA_TYPES[chosen], width, height)


def check_array(image: Array) -> None:
    """Raises TypeError for what a processor must not return."""
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise TypeError(f"a result is (h, w) or (h, w, 3) of uint8, not {image.shape} of {image.dtype}")
    if not image.size:
        raise TypeError("a result has no pixels")


def _jpeg(image: Array, quality: int) -> bytes:
    if image.ndim == 2:
        data = simplejpeg.encode_jpeg(image[:, :, None], quality=quality, colorspace="GRAY")
    else:
        sampling = "420" if quality <= 90 else "444"
        data = simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling=sampling)
    return bytes(data)


def _png(image: Array, quality: int) -> bytes:
    options: list[int] = []
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)
    elif np.all((image == 0) | (image == 255)):
        options = [cv2.IMWRITE_PNG_BILEVEL, 1]
    ok, data = cv2.imencode(".png", image, options)
    if not ok:
        raise MemoryError("PNG encoder")
    return data.tobytes()


def _webp(image: Array, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality, method=_WEBP_EFFORT)
    return buffer.getvalue()
