"""The check of an ONNX file, whoever made it: bounds, structure, shapes, a trial run, and whether it is what
the family needs. What passes is written to weights.onnx with its `WeightsMeta`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from model_images.converter import bounds, fitting, onnxfile, shapes, stock, trial
from model_images.converter.architecture import Rejected, labels_mismatch
from model_images.converter.fitting import Told
from model_images.converter.shapes import Signature
from model_images.converter.steps import CONVERTED, WEIGHTS, write_json
from model_images.runtime.contract import Tensor
from model_images.runtime.metadata import Family, WeightsMeta


def check(out: Path) -> dict[str, Any]:
    """Raises Rejected with the codes of docs/weights.md."""
    facts = json.loads((out / "convert.json").read_text())
    family: Family = facts["family"]
    scan: list[dict[str, str]] = []

    model = onnxfile.read(out / CONVERTED)
    embedded = onnxfile.embedded_meta(model)
    operators = bounds.check(model)
    _note(scan, "operators", f"{operators:,}, all of ONNX itself, opset {bounds.opset(model)}")
    _note(scan, "files", "one file, no external data")
    signature = shapes.signature(model)
    _check_structure(model)
    _note(scan, "structure", f"input {signature.input_name[:60]!r}, {len(signature.outputs)} output(s)")

    meta = _meta(out / CONVERTED, model, signature, family, embedded, facts["labels"])
    example = example_input(meta, signature)
    shapes.check_inferred(model, example.shape)
    _note(scan, "shapes", "bounded, with the example input")
    _try(out / CONVERTED, meta, signature, example)
    _note(scan, "trial run", f"input {example.shape}, output as the family needs")
    if embedded is None and (assumed := fitting.preparation(meta)):
        scan.append({"check": "preparation", "result": "assumed", "detail": assumed})
    if facts["kind"] != "onnx":
        _note(scan, "unpickling", "only tensors and inert stand-ins; nothing was run")

    onnxfile.write_meta(model, meta)
    onnxfile.save(model, out / WEIGHTS)
    summary = {"family": family, "task": meta.task, "classes": len(meta.classes), "operators": operators}
    write_json(out / "check.json", {"scan": scan, "opset": bounds.opset(model), **summary})
    return {"status": "ok", **summary, "scan": scan}


def _note(scan: list[dict[str, str]], name: str, detail: str) -> None:
    scan.append({"check": name, "result": "ok", "detail": detail})


def _check_structure(model: ModelProto) -> None:
    try:
        onnx.checker.check_model(model)
    except MemoryError as error:
        raise Rejected("too_much_memory", "The model takes too much memory to look at.") from error
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise Rejected("corrupt", f"The model is not valid ONNX: {first}") from error


def _meta(
    path: Path,
    model: ModelProto,
    signature: Signature,
    family: Family,
    embedded: WeightsMeta | None,
    labels: list[str] | None,
) -> WeightsMeta:
    """What the file says itself, completed by the seller's labels; else what its shapes and answers tell."""
    if embedded is not None:
        if embedded.family != family:
            raise Rejected("wrong_family", f"These weights are of the family {embedded.family}: choose it.")
        return _labelled(embedded, labels)
    told = Told(
        onnxfile.properties(model), labels, _operators(model), _last_operator(model, signature.outputs[0])
    )
    given = fitting.input_meta(family, signature, told)
    flat = len(signature.input) == 2
    example = stock.tensor(given, flat=flat)
    shapes.check_inferred(model, example.shape)
    return fitting.weights_meta(family, given, example, trial.run(trial.session(path), example), told)


def _labelled(meta: WeightsMeta, labels: list[str] | None) -> WeightsMeta:
    if labels is None:
        return meta
    if meta.classes and len(labels) != len(meta.classes):
        raise labels_mismatch(len(meta.classes), len(labels))
    return meta.model_copy(update={"classes": tuple(labels)})


def _operators(model: ModelProto) -> frozenset[str]:
    return frozenset(node.op_type for node in bounds.nodes(model.graph))


def _last_operator(model: ModelProto, output: str) -> str:
    return next((node.op_type for node in model.graph.node if output in node.output), "")


def example_input(meta: WeightsMeta, signature: Signature) -> Tensor:
    """Raises Rejected: wrong_input, where the file's own words don't fit its shapes."""
    example = stock.tensor(meta.input, flat=len(signature.input) == 2)
    fits = len(example.shape) == len(signature.input) and all(
        side in {None, size} for side, size in zip(signature.input, example.shape, strict=True)
    )
    if not fits:
        raise Rejected(
            "wrong_input",
            f"The metadata promise an input of {example.shape}, the model wants {signature.input}.",
        )
    return example


def _try(path: Path, meta: WeightsMeta, signature: Signature, example: Tensor) -> None:
    """Alone, and as the second of two where the batch is free: both must agree. A detector of free size must
    take a photo that isn't square, too."""
    loaded = trial.session(path)
    output = trial.run(loaded, example)
    _check_output(meta, example, output)
    if (other := stock.oblong(meta.input)) is not None:
        _check_output(meta, other, trial.run(loaded, other))
    if signature.input[0] is None:
        pair = trial.run(loaded, np.concatenate([example * 0, example]))
        if pair.shape[0] != 2 or not np.allclose(pair[1], output[0], rtol=1e-3, atol=1e-3 * _largest(output)):
            raise Rejected(
                "wrong_output",
                "In a batch of two photos the answer to one depends on the other. Export it with batch 1.",
            )


def _largest(output: Tensor) -> float:
    return max(1.0, float(np.abs(output).max()))


def _check_output(meta: WeightsMeta, example: Tensor, output: Tensor) -> None:
    count = len(meta.classes)
    if meta.output == "image":
        _check_image(meta, example, output)
        return
    if count == 0:
        raise Rejected("labels_needed", "The file doesn't name its classes. Give the labels, in order.")
    wanted = {"yolov5": (1, None, 5 + count), "yolov5u": (1, 4 + count, None)}.get(meta.output, (1, count))
    fits = output.ndim == len(wanted) and all(
        w in {None, s} for w, s in zip(wanted, output.shape, strict=True)
    )
    if not fits:
        raise Rejected(
            "wrong_output", f"With {count} classes the output should be {wanted}, but it is {output.shape}."
        )
    if meta.output == "probabilities" and (output.min() < 0 or abs(float(output.sum()) - 1) > 1e-2):
        raise Rejected("wrong_output", "The output is said to be probabilities, but doesn't add up to 1.")
    if meta.task == "detection":
        _check_boxes(meta, example, output)


def _check_boxes(meta: WeightsMeta, example: Tensor, output: Tensor) -> None:
    rows = output[0] if meta.output == "yolov5" else output[0].T
    scores, centres = rows[:, 4:], rows[:, :2]
    if scores.min() < -1e-3 or scores.max() > 1.001:
        raise Rejected(
            "wrong_output", "The scores are not between 0 and 1: export the model with its sigmoid."
        )
    if centres.max() <= 1.5 < min(example.shape[2:]):
        raise Rejected(
            "wrong_output", "The boxes are not in pixels of the input: export the model without scaling."
        )


def _check_image(meta: WeightsMeta, example: Tensor, output: Tensor) -> None:
    if output.ndim != 4 or output.shape[0] != 1 or output.shape[1] not in {1, 3}:
        raise Rejected(
            "wrong_output", f"The output should be (1, 1 or 3, height, width), but it is {output.shape}."
        )
    wanted = tuple(side * meta.upscale for side in example.shape[2:])
    if not meta.input.latent and output.shape[2:] != wanted:
        raise Rejected("wrong_output", f"The image should be {wanted}, but it is {output.shape[2:]}.")
