"""Results on stock photos, made by the very processors that serve the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_images.converter import stock
from model_images.runtime import registry
from model_images.runtime.contract import Context, Encoded, Processor, Result
from model_images.runtime.imageio import encode, open_source
from model_images.runtime.metadata import WeightsMeta

NOISE_SAMPLES = 3


def make_samples(meta: WeightsMeta, weights: Path, folder: Path) -> list[dict[str, Any]]:
    """One entry each: {source, file, data}; `file` within the folder `samples`. Empty where this
    installation has no processor for the family."""
    processor = registry.processors().get(meta.family)
    if processor is None:
        return []
    folder.mkdir(exist_ok=True)
    made = []
    for number, name in enumerate(stock.NAMES):
        params = processor.Params(**({"seed": number + 1} if meta.task == "noise_to_image" else {}))
        source = open_source((stock.FOLDER / name).read_bytes())
        result = processor.process(source, params, Context(weights=weights))
        entry = _entry(processor, result, folder, f"{Path(name).stem}.jpg", params)
        made.append({"source": None if meta.task == "noise_to_image" else name, **entry})
    return made


def _entry(processor: Processor[Any], result: Result, folder: Path, file: str, params: Any) -> dict[str, Any]:
    data = dict(result.data or {})
    if result.image is None:
        return {"file": None, "data": data}
    if isinstance(result.image, Encoded):
        content = result.image.data
    else:
        content = encode(result.image, "jpeg", quality=85)
    (folder / file).write_bytes(content)
    return {"file": f"samples/{file}", "data": data}
