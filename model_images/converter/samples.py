"""Results on stock photos, made by the very processors that serve the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_images.converter import stock
from model_images.converter.architecture import Rejected
from model_images.runtime import registry
from model_images.runtime.contract import Array, BadImage, BadWeights, Context, Encoded, Result
from model_images.runtime.imageio import encode, open_source
from model_images.runtime.metadata import WeightsMeta
from model_images.runtime.sessions import Session
from model_images.yolov5 import _draw

QUALITY = 85


def make_samples(meta: WeightsMeta, weights: Path, folder: Path) -> list[dict[str, Any]]:
    """One JPEG for each stock photo: {source, file, data}. `file` is below the card's folder, `source` is
    empty for a picture from noise. Raises Rejected: not_runnable."""
    processor = registry.processors()[meta.family]
    folder.mkdir(exist_ok=True)
    context = Context(weights=Session(weights))
    made = []
    for number, name in enumerate(stock.NAMES, start=1):
        noise = meta.task == "noise_to_image"
        params = processor.Params(**({"seed": number} if noise else {}))
        source = open_source((stock.FOLDER / name).read_bytes())
        try:
            result = processor.process(source, params, context)
        except (BadImage, BadWeights) as error:
            raise Rejected("not_runnable", f"The weights don't work on a photo: {error.message}") from error
        file = f"sample-{number}.jpg"
        (folder / file).write_bytes(_picture(result, source.rgb()))
        entry = {"source": "" if noise else name, "file": f"samples/{file}", "data": dict(result.data or {})}
        made.append(entry)
    return made


def _picture(result: Result, photo: Array) -> bytes:
    """What came out; for a class alone, the photo with its label."""
    if isinstance(result.image, Encoded):
        return result.image.data
    image = result.image
    if image is None:
        data = result.data or {}
        text = f"{data.get('predicted_class', '')} {float(data.get('best_prob', 0)):.0%}"
        box = [0, 0, photo.shape[1] - 1, photo.shape[0] - 1]
        image = _draw.draw(photo, [_draw.Drawn(box, int(data.get("predicted_id", 0)), text)], 0, True)
    return encode(image, "jpeg", quality=QUALITY).data
