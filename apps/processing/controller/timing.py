"""What an app costs on each node, learnt from results: an exponentially weighted mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from apps.processing.documents.base import Doc
from apps.processing.models import AppTiming

MEMORY = 50  # photos after which a figure has mostly forgotten what was before


def learn(app: str, docs: Iterable[Doc]) -> None:
    """Only estimates rest on this: a photo counted twice after a crash does no harm."""
    seconds: dict[str, float] = defaultdict(float)
    megapixels: dict[str, float] = defaultdict(float)
    images: dict[str, int] = defaultdict(int)
    for doc in docs:
        spent = doc["finished"] - doc["started"]
        if doc["status"] == "ok" and doc["node"] and spent > 0 and doc["width"] * doc["height"]:
            seconds[doc["node"]] += spent
            megapixels[doc["node"]] += doc["width"] * doc["height"] / 1e6
            images[doc["node"]] += 1
    for node, count in images.items():
        _learn(app, node, seconds[node] / megapixels[node], count)


def _learn(app: str, node: str, measured: float, images: int) -> None:
    timing = AppTiming.objects.filter(app=app, node=node).first()
    if timing is None:
        defaults = {"seconds_per_megapixel": measured, "images": images}
        AppTiming.objects.get_or_create(app=app, node=node, defaults=defaults)
        return
    weight = 1 - (1 - 1 / MEMORY) ** images
    if timing.images < MEMORY:
        weight = max(weight, images / (timing.images + images))  # a plain mean at first
    timing.seconds_per_megapixel += weight * (measured - timing.seconds_per_megapixel)
    timing.images += images
    timing.save()
