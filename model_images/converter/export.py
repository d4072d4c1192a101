"""From a network in torch to an ONNX file, compared with the original on a real photo."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from model_images.converter import limits, onnxfile, stock
from model_images.converter.architecture import Built, Rejected

OPSET = 17


def export(built: Built, path: Path) -> None:
    """Write the network to `path`: weights inside, its `WeightsMeta` in the metadata. Raises Rejected:
    not_exportable."""
    input_name = next(iter(built.dynamic), "noise" if built.meta.input.latent else "images")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                built.module.eval(),
                (built.example,),
                str(path),
                dynamo=False,
                opset_version=OPSET,
                input_names=[input_name],
                output_names=["output"],
                dynamic_axes={name: dict(axes) for name, axes in built.dynamic.items()},
                do_constant_folding=True,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise Rejected("not_exportable", f"The network can't be written as ONNX: {first}") from error
    model = onnx.load(str(path), load_external_data=False)
    onnxfile.write_meta(model, built.meta)
    onnxfile.save(model, path)


def compare(built: Built, path: Path) -> dict[str, Any]:
    """The largest difference between both outputs on a stock photo, alone and (where the batch is free) as
    the second of two; on one that isn't square, too, where that matters. `image` is the photo, empty for
    noise. Raises Rejected: differs."""
    session = ort.InferenceSession(str(path), onnxfile.session_options(), providers=["CPUExecutionProvider"])
    flat = built.example.ndim == 2
    first = stock.tensor(built.meta.input, flat=flat)
    batches = [first]
    if any(0 in axes for axes in built.dynamic.values()):
        batches.append(np.concatenate([first * np.float32(0.5), first]))
    if (other := stock.oblong(built.meta.input)) is not None:
        batches.append(other)
    worst, scale = 0.0, 1.0
    for batch in batches:
        with torch.no_grad():
            expected = built.module(torch.from_numpy(batch)).numpy()
        (got,) = session.run(["output"], {session.get_inputs()[0].name: batch})
        if got.shape != expected.shape:
            raise Rejected(
                "differs", f"ONNX Runtime answers {got.shape} where torch answers {expected.shape}."
            )
        worst = max(worst, float(np.abs(got - expected).max()))
        scale = max(scale, float(np.abs(expected).max()))
    if not worst <= limits.TOLERANCE * scale:
        raise Rejected(
            "differs",
            f"After conversion the output differs from torch's by {worst:.3g} (values up to {scale:.3g}).",
        )
    return {
        "max_difference": worst,
        "largest_value": scale,
        "image": "" if built.meta.input.latent else stock.NAMES[0],
    }
