"""Thumbnails: WebP, longest side 320, EXIF orientation applied, no metadata but a small colour profile."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from PIL import Image

from apps.drive import inspect, storage
from apps.drive.broken import BROKEN
from marketplace.api import ApiError

SIDE = 320
VIEW_SIDE = 1800
_MAX_PROFILE = 10_000  # bytes; a printer's profile would outweigh the picture
# Decoding a photo of 50 megapixels can take 200 MB: only so many at once in one process.
_gate = threading.BoundedSemaphore(2)

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def examine(path: Path) -> tuple[inspect.Header, bytes]:
    """What the file is, and its thumbnail.

    Making it decodes the photo to its last row, which proves that it is whole: a JPEG at 1/8 of its size,
    the others in full. What decoders forgive, a missing end, is looked for as well: other programs don't.
    Raises the errors of `inspect`.
    """
    image, header = inspect.open_image(path)
    with image, _gate:
        try:
            data = _render(image, header)
        except BROKEN as error:
            raise inspect.broken(path, header.format) from error
    inspect.check_complete(path, header.format)
    return header, data


def render(path: Path, side: int) -> tuple[bytes, int, int]:
    """A WebP of an image file, its longest side at most `side`, and its width and height. Checked as an
    upload is: raises the errors of `inspect`."""
    image, header = inspect.open_image(path)
    with image, _gate:
        try:
            data = _render(image, header, side)
        except BROKEN as error:
            raise inspect.broken(path, header.format) from error
    inspect.check_complete(path, header.format)
    with Image.open(io.BytesIO(data)) as made:
        return data, *made.size


def ensure(owner_id: str, sha256: str) -> Path:
    """Where the thumbnail lies; it is made if it is missing. FileNotFoundError if the photo itself is."""
    return _ensure(storage.thumb_path(owner_id, sha256), storage.blob_path(owner_id, sha256), SIDE)


def ensure_view(owner_id: str, sha256: str) -> Path:
    """The same, large enough to fill a screen."""
    return _ensure(storage.view_path(owner_id, sha256), storage.blob_path(owner_id, sha256), VIEW_SIDE)


def _ensure(target: Path, source: Path, side: int) -> Path:
    if not target.exists():
        try:
            image, header = inspect.open_image(source)
            with image, _gate:
                data = _render(image, header, side)
        except FileNotFoundError:
            raise
        except (ApiError, *BROKEN):  # a result beyond the limits for uploads, or one too strange
            data = _placeholder()
        storage.write_derived(target, data)
    return target


def _render(image: Image.Image, header: inspect.Header, side: int = SIDE) -> bytes:
    profile = image.info.get("icc_profile") or b""
    image.draft("RGB", (side, side))
    image.load()
    small = _displayable(image)
    if small.mode not in {"RGB", "RGBA"} or image.mode not in {"RGB", "RGBA"} or len(profile) > _MAX_PROFILE:
        profile = b""
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if header.orientation in _TRANSPOSE:
        small = small.transpose(_TRANSPOSE[header.orientation])
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80, method=2, icc_profile=profile, exif=b"", xmp=b"")
    return out.getvalue()


def _displayable(image: Image.Image) -> Image.Image:
    """As RGB or RGBA, 8 bits a channel."""
    if image.mode in {"RGB", "RGBA"}:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.mode in {"I", "F"}:
        return _stretched(image)
    if image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Values without a known range: from the darkest to the brightest there is."""
    low, high = image.getextrema()
    scale = 255 / (high - low) if high > low else 1.0  # type: ignore[operator]
    offset = -low * scale  # type: ignore[operator]
    return image.convert("F").point(lambda value: value * scale + offset).convert("L").convert("RGB")


def _placeholder() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE * 3 // 4), (128, 128, 128)).save(out, "WEBP")
    return out.getvalue()
