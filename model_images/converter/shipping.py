"""Writes the sample weights that our training scripts made: `samples/<slug>.onnx` and `<slug>.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from model_images.converter import export
from model_images.converter.architecture import Built
from model_images.runtime.metadata import WeightsMeta

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@dataclass(frozen=True)
class Card:
    """How the demo seller's listing reads. Prices in credits."""

    slug: str
    title: str
    description: str
    price: int
    price_per_image: int
    extra: Mapping[str, Any] = field(default_factory=dict)


def ship(
    module: torch.nn.Module,
    example: torch.Tensor,
    dynamic: Mapping[str, Mapping[int, str]],
    meta: WeightsMeta,
    card: Card,
    folder: Path = SAMPLES,
) -> Path:
    """The path of the ONNX file, whose metadata is `meta`. Same weights, same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.slug}.onnx"
    export.export(Built(module, example, meta, dynamic), path)
    told = {
        "title": card.title,
        "description": card.description,
        "family": meta.family,
        "task": meta.task,
        "labels": list(meta.classes),
        "quality": meta.quality,
        "license": meta.license,
        "price": card.price,
        "price_per_image": card.price_per_image,
        **card.extra,
    }
    text = json.dumps(told, indent=2, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    say(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return path


def say(text: str) -> None:
    """At once, for who waits for a training."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
