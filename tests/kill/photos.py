"""Photos for tests that need many different ones: quick to make, small, and no two alike."""

from __future__ import annotations

import io
from random import Random

from PIL import Image, ImageDraw


def photo(seed: int, width: int = 1152, height: int = 864, quality: int = 85) -> bytes:
    """A JPEG of soft gradients and some shapes, deterministic in `seed`."""
    rng = Random(seed)
    base = Image.radial_gradient("L").resize((width, height))
    tinted = Image.merge(
        "RGB", [base.point(lambda v, k=k: (v * k) // 255) for k in rng.choices(range(90, 256), k=3)]
    )
    draw = ImageDraw.Draw(tinted)
    for _ in range(30):
        x, y = rng.randrange(width), rng.randrange(height)
        r = rng.randrange(10, 160)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.choices(range(256), k=3)))
    out = io.BytesIO()
    tinted.save(out, "JPEG", quality=quality)
    return out.getvalue()
