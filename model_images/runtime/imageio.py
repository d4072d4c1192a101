"""Reading and writing images: the names that processors, batches and the preview server use."""

from __future__ import annotations

from model_images.runtime.encoders import MEDIA_TYPES, SUFFIXES, encode
from model_images.runtime.headers import ImageLimits, read_header
from model_images.runtime.sources import PhotoSource, open_source

__all__ = [
    "MEDIA_TYPES",
    "SUFFIXES",
    "ImageLimits",
    "PhotoSource",
    "encode",
    "open_source",
    "read_header",
]
