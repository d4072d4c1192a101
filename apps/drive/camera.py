"""What a photo's EXIF says about how it was taken, in words for its owner."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from apps.drive.broken import BROKEN

_IFD = ExifTags.IFD
_TAG = ExifTags.Base


def facts(path: Path) -> list[tuple[str, str]]:
    """(what, value) pairs; empty if there is nothing or it can't be read. Decodes no pixels."""
    try:
        with Image.open(path, formats=["JPEG", "PNG", "TIFF", "WEBP"]) as image:
            exif = image.getexif()
            detail = exif.get_ifd(_IFD.Exif)
            has_place = bool(exif.get_ifd(_IFD.GPSInfo))
    except BROKEN:
        return []
    found = [
        ("Taken", _date(detail.get(_TAG.DateTimeOriginal) or exif.get(_TAG.DateTime))),
        ("Camera", _camera(exif.get(_TAG.Make), exif.get(_TAG.Model))),
        ("Lens", _text(detail.get(_TAG.LensModel))),
        ("Exposure", _exposure(detail)),
        ("Place", "in the file; left out of shares and downloads" if has_place else ""),
    ]
    return [(what, value) for what, value in found if value]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable()).strip()[:80]


def _date(value: Any) -> str:
    """`2026:05:01 12:30:00` as 2026-05-01 12:30."""
    day, _, time = _text(value).partition(" ")
    return f"{day.replace(':', '-')} {time[:5]}".strip()


def _camera(make: Any, model: Any) -> str:
    make, model = _text(make), _text(model)
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def _exposure(detail: dict[int, Any]) -> str:
    parts = []
    if seconds := _number(detail.get(_TAG.ExposureTime)):
        short = Fraction(1, max(1, round(1 / seconds))) if seconds < 0.5 else None
        parts.append(f"{short} s" if short else f"{seconds:g} s")
    if aperture := _number(detail.get(_TAG.FNumber)):
        parts.append(f"f/{aperture:g}")
    if iso := _number(detail.get(_TAG.ISOSpeedRatings)):
        parts.append(f"ISO {iso:g}")
    if focal := _number(detail.get(_TAG.FocalLength)):
        parts.append(f"{focal:g} mm")
    return " · ".join(parts)


def _number(value: Any) -> float:
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError, OverflowError):
        return 0.0
    return round(number, 6) if 0 < number < 1e6 else 0.0
