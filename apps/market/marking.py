"""Results of free previews, made unfit for use: smaller, with words across them, and with less in them.

It is done here, on the server, before anything is sent: the unmarked result has no address.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from dataclasses import replace
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from apps.drive.broken import BROKEN
from apps.processing.services.previews import Preview
from marketplace.api import ApiError

SIDE = 900  # pixels, the longest side at most
WORDS = "PIXELYARD PREVIEW"
MOST_FOUND = 20  # detections
MOST_LIKELY = 3  # classes
QUALITY = 80
_ANGLE = 24  # degrees
_gate = threading.BoundedSemaphore(2)  # a result of 50 megapixels takes 200 MB to decode


def mark(preview: Preview) -> Preview:
    """The same answer, marked: an image becomes a JPEG with words across it, data says less."""
    if preview.content_type.startswith("image/"):
        return replace(preview, content_type="image/jpeg", body=mark_image(preview.body))
    if preview.content_type.startswith("application/json"):
        return replace(preview, body=_mark_json(preview.body))
    raise ApiError(406, "not_acceptable", "A free preview answers with image/* or application/json.")


def mark_image(data: bytes) -> bytes:
    """A JPEG, its longest side at most SIDE, with WORDS across it. `data`: an image of ours."""
    try:
        with _gate, Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "TIFF", "WEBP"]) as image:
            image.draft("RGB", (SIDE, SIDE))
            small = _flat(image)
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    except BROKEN as error:
        text = "The preview could not be marked. Nothing was counted; try again, or another photo."
        raise ApiError(502, "preview_failed", text) from error
    marked = Image.alpha_composite(small.convert("RGBA"), _words(*small.size)).convert("RGB")
    out = io.BytesIO()
    marked.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _flat(image: Image.Image) -> Image.Image:
    """On white, 8 bits a channel."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


@lru_cache(maxsize=8)
def _words(width: int, height: int) -> Image.Image:
    """A transparent layer with the words across it: white with a dark edge, to be seen on anything."""
    size = max(14, min(width, height) // 14)
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(WORDS)
    step_x, step_y = int(right - left + size * 1.5), int((bottom - top) + size * 3)
    side = int((width**2 + height**2) ** 0.5) + step_x
    layer = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for row, y in enumerate(range(0, side, step_y)):
        for x in range(-(row % 2) * step_x // 2, side, step_x):
            draw.text(
                (x, y),
                WORDS,
                font=font,
                fill=(255, 255, 255, 120),
                stroke_width=max(1, size // 16),
                stroke_fill=(0, 0, 0, 70),
            )
    turned = layer.rotate(_ANGLE, Image.Resampling.BICUBIC)
    x, y = (side - width) // 2, (side - height) // 2
    return turned.crop((x, y, x + width, y + height))


def _mark_json(body: bytes) -> bytes:
    answer = json.loads(body)
    picture = answer.get("image")
    if picture:
        marked = mark_image(base64.b64decode(picture["base64"]))
        answer["image"] = {"content_type": "image/jpeg", "base64": base64.b64encode(marked).decode()}
    if isinstance(answer.get("data"), dict):
        answer["data"] = mark_data(answer["data"])
    for name in ("text", "html"):
        answer.pop(name, None)
    return json.dumps(answer | {"marked": True}).encode()


def mark_data(data: dict[str, Any]) -> dict[str, Any]:
    """Enough to judge by: the most confident detections in whole pixels (all of them are counted), and the
    likeliest classes instead of every probability."""
    data = dict(data)
    found = data.get("detections")
    if isinstance(found, list):
        best = sorted(found, key=lambda one: -one.get("confidence", 0))[:MOST_FOUND]
        data["detections"] = [
            {name: one[name] for name in ("label", "class_id") if name in one}
            | {
                "confidence": round(one.get("confidence", 0), 2),
                "box": [round(n) for n in one.get("box", [])],
            }
            for one in best
        ]
        data["left_out"] = len(found) - len(best)
    data.pop("probs", None)
    if isinstance(data.get("top"), list):
        data["top"] = [
            one | {"confidence": round(one.get("confidence", 0), 2)} for one in data["top"][:MOST_LIKELY]
        ]
    return data
