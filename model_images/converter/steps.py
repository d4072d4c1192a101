"""The three steps from an upload to weights, each in a locked-in process of its own. What one leaves in the
folder `out` is what the next one starts from: converted.onnx and convert.json, weights.onnx and check.json,
card.json and samples/."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from model_images.converter import contents, limits
from model_images.converter.architecture import Rejected
from model_images.runtime.metadata import Family

CONVERTED, WEIGHTS, CARD = "converted.onnx", "weights.onnx", "card.json"
_MAX_LABELS_FILE = 4 << 20
AGAIN = "needs_torch"  # the answer of a process that has not loaded torch to an upload that needs it


@dataclass(frozen=True)
class Options:
    step: str
    out: Path
    upload: Path | None = None
    name: str = ""
    family: Family = "yolov5"
    architecture: str | None = None
    labels: Path | None = None
    torch: bool = False  # it has been imported


def convert(options: Options) -> dict[str, Any]:
    """Find out what the upload is; make ONNX of it unless it is. Raises Rejected."""
    if options.upload is None or options.family not in get_args(Family):
        raise ValueError("an upload and a family are needed")
    labels = read_labels(options.labels)
    kind = contents.kind_of(options.upload)
    if kind == "onnx":
        shutil.copyfile(options.upload, options.out / CONVERTED)
        facts: dict[str, Any] = {"kind": kind, "architecture": "", "compared": None}
    elif not options.torch:
        return {"status": AGAIN}
    else:
        facts = {"kind": kind, **_from_checkpoint(options, kind, labels)}
    facts |= {"name": options.name[:200], "family": options.family, "labels": labels}
    write_json(options.out / "convert.json", facts)
    return {"status": "ok", **{k: facts[k] for k in ("kind", "family", "architecture", "compared")}}


def _from_checkpoint(options: Options, kind: contents.Kind, labels: list[str] | None) -> dict[str, Any]:
    from model_images.converter import export, loading, registry

    assert options.upload is not None  # noqa: S101 - checked by the caller
    checkpoint = loading.load(options.upload, kind)
    architecture = registry.find(checkpoint, options.family, options.architecture)
    built = architecture.build(checkpoint, labels)
    if built.meta.family != options.family:
        raise Rejected("wrong_family", f"These weights are of the family {built.meta.family}: choose it.")
    path = options.out / CONVERTED
    export.export(built, path)
    return {
        "architecture": built.meta.architecture or architecture.name,
        "tensors": len(checkpoint.state),
        "compared": export.compare(built, path),
    }


def read_labels(path: Path | None) -> list[str] | None:
    """A JSON list of names, or an object from class number to name. Raises Rejected: bad_labels."""
    if path is None:
        return None
    try:
        if path.stat().st_size > _MAX_LABELS_FILE:
            raise ValueError("the file is too large")
        value = json.loads(path.read_bytes())
        if isinstance(value, dict):
            value = [value[str(i)] for i in range(len(value))]
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError("a list of names is needed")
    except (ValueError, KeyError, RecursionError) as error:
        raise Rejected(
            "bad_labels",
            'The labels are a JSON list of names in the order of the classes, or {"0": "name", …} without '
            "gaps: "
            f"{str(error)[:100]}",
        ) from error
    labels = [" ".join(v.split())[:100] for v in value]
    if not labels or len(labels) > limits.MAX_CLASSES or not all(labels):
        raise Rejected(
            "bad_labels", f"Between 1 and {limits.MAX_CLASSES:,} labels are needed, none of them empty."
        )
    return labels


def check(options: Options) -> dict[str, Any]:
    """Check converted.onnx, whoever made it, and write weights.onnx. Raises Rejected."""
    from model_images.converter import checking

    return checking.check(options.out)


def measure(options: Options) -> dict[str, Any]:
    """Measure weights.onnx, make samples with it, write the card. Raises Rejected."""
    from model_images.converter import measuring

    return measuring.measure(options.out)


def write_json(path: Path, value: Any) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    draft.replace(path)
