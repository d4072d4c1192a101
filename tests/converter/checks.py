"""One ONNX model through the check, in this process: for everything but what a sandbox must stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from model_images.converter import checking
from model_images.converter.architecture import Rejected
from model_images.converter.onnxfile import embedded_meta
from model_images.runtime.metadata import WeightsMeta
from tests.converter import models


def check(out: Path, made: onnx.ModelProto, family: str, labels: list[str] | None = None) -> WeightsMeta:
    """What weights.onnx says about itself. Raises Rejected."""
    out.mkdir(exist_ok=True)
    models.save(made, out / "converted.onnx")
    facts: dict[str, Any] = {"kind": "onnx", "family": family, "labels": labels, "compared": None}
    (out / "convert.json").write_text(json.dumps(facts))
    checking.check(out)
    meta = embedded_meta(onnx.load(str(out / "weights.onnx")))
    assert meta is not None
    return meta


def refusal(out: Path, made: onnx.ModelProto, family: str = "classifier", labels: Any = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check(out, made, family, labels)
    assert not (out / "weights.onnx").exists()
    return caught.value
