"""Photos whose work follows a trace: made once in graded sizes, kept in the drive of an owner who is nobody.

Work follows pixels for most apps. Which work a size really is, on which node, is measured
(`calibration.py`); a trace asks for work, and each of its images gets the photo whose work is nearest.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import dataclass
from functools import cache
from math import log, sqrt
from pathlib import Path

from PIL import Image

import jobfolder
from jobfolder.layout import drive_dir, write_bytes

OWNER = "benchmarks"  # no user's id: those have 22 characters
STEP = 1.25  # a size is so many times the one before
LEAST, MOST = 0.05, 45.0  # megapixels; the platform refuses more than 50
_TILE = 512


@dataclass(frozen=True)
class Photo:
    sha256: str
    megapixels: float


class Bank:
    """Photos by size. `data_dir` is the platform's."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._made: dict[int, Photo] = {}

    def nearest(self, megapixels: float) -> Photo:
        """The photo of the grade next to that many megapixels, made if it is not there."""
        wanted = min(MOST, max(LEAST, megapixels))
        grade = min(round(log(wanted / LEAST) / log(STEP)), int(log(MOST / LEAST) / log(STEP)))
        if grade not in self._made:
            self._made[grade] = self._make(LEAST * STEP**grade)
        return self._made[grade]

    def _make(self, megapixels: float) -> Photo:
        width = max(8, round(sqrt(megapixels * 1e6 * 4 / 3)))
        height = max(8, round(width * 3 / 4))
        data = picture(width, height)
        digest = hashlib.sha256(data).hexdigest()
        path = jobfolder.drive_path(self._data_dir, OWNER, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
        return Photo(digest, width * height / 1e6)

    def remove(self) -> None:
        self._made.clear()
        shutil.rmtree(drive_dir(self._data_dir, OWNER), ignore_errors=True)


@cache
def _tile() -> Image.Image:
    """Light, colour and grain: what keeps a decoder as busy as a photo does."""
    noise = [Image.effect_noise((_TILE, _TILE), 24) for _ in range(3)]
    soft = Image.radial_gradient("L").resize((_TILE, _TILE))
    turned = soft.transpose(Image.Transpose.ROTATE_90).point(lambda value: 255 - value)
    layers = (soft, turned, Image.linear_gradient("L").resize((_TILE, _TILE)))
    bands = [Image.blend(layer, grain, 0.4) for layer, grain in zip(layers, noise, strict=True)]
    return Image.merge("RGB", bands)


def picture(width: int, height: int) -> bytes:
    """A JPEG of that size, with as much detail as a photo."""
    canvas = Image.new("RGB", (width, height))
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            canvas.paste(_tile(), (left, top))
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=80)
    return out.getvalue()
