"""What an uploaded file is: by its content, and from its header before anything is decoded.

Every refusal is an ApiError with one of the codes empty, unsupported_type, too_many_pixels, animated,
truncated, corrupt. (Bytes are limited while they arrive: see storage.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from PIL import Image, ImageFile, UnidentifiedImageError

from apps.drive.broken import BROKEN
from apps.drive.metadata import layout
from marketplace.api import ApiError, invalid, too_large

# Our own limit, checked on the header, is lower and has words; Pillow's would turn into warnings for
# photos that an operator allows.
Image.MAX_IMAGE_PIXELS = None

MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "tiff": "image/tiff", "webp": "image/webp"}
# MPO is a JPEG with more pictures behind it (a depth map, a gain map); the first one is the photo.
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "TIFF": "tiff", "WEBP": "webp"}


@dataclass(frozen=True)
class Header:
    """Width and height as seen, after EXIF orientation; `orientation` is what Pillow leaves to do."""

    format: str
    width: int
    height: int
    orientation: int


def sniff(start: bytes) -> str | None:
    """The format that the first bytes claim."""
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "tiff"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    return None


def open_image(path: Path) -> tuple[ImageFile.ImageFile, Header]:
    """The photo, opened and within all limits but not decoded. Close it."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise invalid("empty", "The file is empty.")
    claimed = sniff(start)
    if claimed is None:
        raise invalid("unsupported_type", "The file is not a JPEG, PNG, TIFF or WebP image.")
    try:
        image = Image.open(path, formats=["JPEG", "PNG", "TIFF", "WEBP"])
    except (UnidentifiedImageError, *BROKEN) as error:
        raise broken(path, claimed) from error
    try:
        return image, _check(path, image, claimed)
    except BaseException:
        image.close()
        raise


def _check(path: Path, image: ImageFile.ImageFile, claimed: str) -> Header:
    width, height = image.size
    limit = settings.MAX_IMAGE_PIXELS
    if width * height > limit:
        raise too_large(
            "too_many_pixels",
            f"The image is {width} × {height} = {width * height / 1e6:.1f} megapixels; "
            f"at most {limit / 1e6:g} are allowed.",
        )
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        turned = _orientation(image)
    except BROKEN as error:
        raise broken(path, claimed) from error
    if frames != 1:
        raise invalid("animated", f"The image has {frames} frames or pages; only single images can be kept.")
    if turned >= 5:
        width, height = height, width
    return Header(_FORMATS[image.format or ""], width, height, turned)


def _orientation(image: ImageFile.ImageFile) -> int:
    """What is left to do to see it upright, 1 to 8: from EXIF alone, as browsers do, not from XMP. Pillow
    turns a TIFF by itself, and tells its size as seen."""
    return 1 if image.format == "TIFF" else layout.orientation(image.info.get("exif", b""))


def check_complete(path: Path, format: str) -> None:
    """422 `truncated` if the file ends before its own structure says so."""
    if not layout.is_complete(path.read_bytes(), format):
        raise invalid("truncated", "The file ends too early: a part of the image is missing.")


def broken(path: Path, format: str) -> ApiError:
    """The error for a file that can't be decoded: does it just end too early?"""
    try:
        check_complete(path, format)
    except ApiError as error:
        return error
    return invalid("corrupt", "The file is damaged and can't be read.")
