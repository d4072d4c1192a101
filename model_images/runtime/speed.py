"""How fast this machine is, in one number that nodes can be compared by."""

from __future__ import annotations

import time

import numpy as np
import simplejpeg  # type: ignore[import-untyped]

SIDE = 1000


def measure(seconds: float = 0.2) -> float:
    """Megapixels a second that one process decodes and encodes again as grey JPEG: most of what filters
    spend their time on."""
    x = np.arange(SIDE, dtype=np.uint32)
    image = ((x[:, None] * x[None, :] >> 6) & 255).astype(np.uint8)[:, :, None]
    data = simplejpeg.encode_jpeg(image, quality=90, colorspace="GRAY")
    start, rounds = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        decoded = simplejpeg.decode_jpeg(data, colorspace="GRAY")
        data = simplejpeg.encode_jpeg(decoded, quality=90, colorspace="GRAY")
        rounds += 1
    return round(rounds * SIDE * SIDE / 1e6 / spent, 1)
