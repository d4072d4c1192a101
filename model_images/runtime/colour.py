"""Colour profiles: pixels reach processors as sRGB, whatever the camera wrote."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from model_images.runtime.contract import Array

_MAX_PROFILE = 4_000_000


def to_srgb(array: Array, profile: bytes | None) -> Array:
    """`(h, w, 3)` RGB, converted when `profile` (ICC) is an RGB profile other than sRGB."""
    transform = _transform(profile, "RGB") if profile else None
    if transform is None:
        return array
    return np.asarray(ImageCms.applyTransform(Image.fromarray(array), transform))


def cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """By the file's profile; without one, by the plain formula, (255 - c)(255 - k) / 255."""
    transform = _transform(profile, "CMYK") if profile else None
    if transform is None:
        return image.convert("RGB")
    return ImageCms.applyTransform(image, transform) or image.convert("RGB")  # None: never, out of place


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None when there is nothing to convert, or the profile can't be used: then the numbers are taken as
    sRGB, as viewers do."""
    if len(profile) > _MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != mode:
            return None
        if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
