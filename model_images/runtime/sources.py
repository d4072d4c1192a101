"""Decodes photos lazily, and only as far as asked: JPEG to grey, or to 1/2, 1/4, 1/8, without the rest.

JPEG goes through libjpeg-turbo, everything else through Pillow. Arrays are turned upright, flattened on
white, in sRGB, and C-contiguous. A file whose pixels are not all there is refused, never half grey.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from model_images.runtime import colour, headers
from model_images.runtime.contract import Array, BadImage, Header
from model_images.runtime.headers import DEFAULT_LIMITS, ImageLimits

cv2.setNumThreads(1)  # one thread a process: nodes run a process a core

# Complaints of libjpeg that leave every pixel intact.
_HARMLESS = ("extraneous bytes before marker", "Invalid SOS parameters", "Unknown Adobe color transform")
_CMYK = {"CMYK", "YCCK"}


def open_source(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> PhotoSource:
    """A photo from the bytes of its file. Raises BadImage for what the header alone gives away."""
    header, opened = headers.inspect(data, limits)
    return PhotoSource(header, data, opened)


class PhotoSource:
    """Implements `contract.Source`."""

    def __init__(self, header: Header, data: bytes, opened: ImageFile.ImageFile) -> None:
        self.header = header
        self.data = data
        self._profile: bytes | None = opened.info.get("icc_profile")
        self._turbo = header.format == "jpeg" and opened.mode in {"L", "RGB"}

    def rgb(self, min_width: int = 0, min_height: int = 0) -> Array:
        if not self._turbo:
            return self._odd("RGB")
        array = self._jpeg("RGB", min_width, min_height)
        return upright(colour.to_srgb(array, self._profile), self.header.orientation)

    def gray(self, min_width: int = 0, min_height: int = 0) -> Array:
        if not self._turbo:
            return self._odd("L")
        array = self._jpeg("GRAY", min_width, min_height)[:, :, 0]
        return upright(array, self.header.orientation)

    def _jpeg(self, space: str, min_width: int, min_height: int) -> Array:
        width, height = self.header.width, self.header.height
        if self.header.orientation >= 5:  # as stored
            width, height, min_width, min_height = height, width, min_height, min_width
        factor = reduction(width, height, min_width, min_height)
        size = {"min_width": -(-width // factor), "min_height": -(-height // factor)}
        return _decode_jpeg(self.data, space, size if factor > 1 else {})

    def _odd(self, mode: str) -> Array:
        """What libjpeg-turbo doesn't decode, or not to RGB: through Pillow, at full size."""
        try:
            image = headers.inspect(self.data, _NO_LIMITS)[1]
            image.load()
            array = _flat(image, mode, self._profile)
        except (BadImage, MemoryError):
            raise
        except Exception as error:  # a decoder fed with garbage raises anything
            cut = headers.is_cut(self.data, self.header.format) or "truncated" in str(error)
            raise (headers.truncated() if cut else headers.corrupt()) from error
        done = self.header.format == "tiff"  # Pillow turns TIFFs itself
        return np.ascontiguousarray(array) if done else upright(array, self.header.orientation)


class NoPhoto:
    """In place of a photo where there is none: in a preview of what needs none. It has no pixels."""

    header = Header("png", 1, 1)
    data = b""

    def rgb(self, min_width: int = 0, min_height: int = 0) -> Array:
        raise BadImage("empty", "This app needs a photo; send one.")

    def gray(self, min_width: int = 0, min_height: int = 0) -> Array:
        return self.rgb()


_NO_LIMITS = ImageLimits(1 << 62, 1 << 62)  # the source was opened within its own


def reduction(width: int, height: int, min_width: int, min_height: int) -> int:
    """The largest of 8, 4, 2, 1 by which a JPEG of this size can be divided with both sides at or above the
    minima; 1 when there is none."""
    if min_width <= 0 and min_height <= 0:
        return 1
    fits = (d for d in (8, 4, 2) if -(-width // d) >= min_width and -(-height // d) >= min_height)
    return next(fits, 1)


def upright(array: Array, orientation: int) -> Array:
    """`array` as it should be seen, by its EXIF orientation (1 to 8). C-contiguous."""
    if orientation in (5, 6, 7, 8):
        array = cv2.transpose(np.ascontiguousarray(array)).astype(np.uint8, copy=False)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # 1: left-right, 0: top-bottom, -1: both
    if orientation in flips:
        array = cv2.flip(np.ascontiguousarray(array), flips[orientation]).astype(np.uint8, copy=False)
    return np.ascontiguousarray(array)


def _decode_jpeg(data: bytes, space: str, size: dict[str, int]) -> Array:
    """`(h, w, 3)` RGB or `(h, w, 1)` grey."""
    try:
        array: Array = simplejpeg.decode_jpeg(data, colorspace=space, strict=True, **size)
    except ValueError as error:
        if not any(text in str(error) for text in _HARMLESS):
            cut = "Premature end" in str(error) or headers.is_cut(data, "jpeg")
            raise (headers.truncated() if cut else headers.corrupt()) from error
        return _decode_despite_warning(data, space)
    return array


def _decode_despite_warning(data: bytes, space: str) -> Array:
    """At full size. Pillow passes over libjpeg's warnings; simplejpeg raises even where asked not to."""
    try:
        image = JpegImageFile(io.BytesIO(data)).convert("L" if space == "GRAY" else "RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise headers.corrupt() from error
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


def _flat(image: Image.Image, mode: str, profile: bytes | None) -> Array:
    """`image` as 8-bit RGB or grey (`mode` L), without alpha."""
    if image.mode in {"I", "F"}:
        raise BadImage("unsupported_type", "The file has 32 bits a channel; save it with 8 or 16 to use it.")
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        gray = ((wide * 255 + 32767) // 65535).astype(np.uint8)
        return gray if mode == "L" else np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = _on_white(image.convert("RGBA"))
    elif image.mode == "CMYK":
        image = colour.cmyk_to_rgb(image, profile)
        profile = None
    elif image.mode == "LAB":
        raise BadImage("unsupported_type", "The file uses Lab colours; save it as RGB to use it.")
    if mode == "L":
        return np.asarray(image.convert("L"))
    return colour.to_srgb(np.asarray(image.convert("RGB")), profile)


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white
