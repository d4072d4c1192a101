"""Image classifiers: which of the weights' classes a photo belongs to, with what probability.

Softmax over logits is computed in float64: p_i = exp(z_i - max z) / sum_j exp(z_j - max z). Photos are
decoded no larger than the network's input needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from model_images.runtime import dominant, tensors
from model_images.runtime.contract import (
    BadWeights,
    Context,
    Params,
    Processor,
    Result,
    Route,
    Source,
    Tensor,
)
from model_images.runtime.metadata import WeightsMeta


class ClassifierParams(Params):
    top_k: int = Field(
        5,
        ge=1,
        le=100,
        description="How many of the likeliest classes to list",
        examples=[3],
        title="Top classes",
    )
    dominant_colour: bool = Field(
        False,
        description="Also name the photo's dominant colour, on the RGB and the RYB wheel",
        examples=[True],
        title="Dominant colour",
    )


class Classifier(Processor[ClassifierParams]):
    """Data: `probs` of all classes in their order, the best one, the `top_k` likeliest.

    >>> ClassifierParams(top_k=3).top_k
    3
    """

    name = "classifier"
    title = "Classifier"
    summary = "Says which of a trained classifier's classes each photo belongs to."
    kind = "classification"
    version = "1"
    outputs = ("data",)
    Params = ClassifierParams
    family = "classifier"
    routes = (Route("classify", "Says which class a photo belongs to, and with what probability."),)
    seconds_per_megapixel = 0.02

    def process(self, source: Source, params: ClassifierParams, context: Context) -> Result:
        network = context.network
        photo = tensors.place(source, network.meta.input)
        probs = probabilities(network.run(photo.tensor), network.meta)
        order = np.argsort(-probs, kind="stable")
        top = [_entry(network.meta, int(i), probs) for i in order[: params.top_k]]
        best: dict[str, Any] = top[0]
        if params.dominant_colour:
            best = {**best, **dominant.dominant(tensors.in_colour(source, photo))}
        return Result(
            data={
                "probs": [round(float(p), 6) for p in probs],
                "best_prob": top[0]["confidence"],
                "predicted_id": top[0]["class_id"],
                "predicted_class": top[0]["label"],
                "predictor_name": network.meta.architecture or self.name,
                "top": top,
                "classes": [best],
            }
        )


def probabilities(output: Tensor, meta: WeightsMeta) -> NDArray[np.float64]:
    """`(classes,)`, summing to 1. Raises BadWeights when the output is no vector of classes."""
    values = output.reshape(-1).astype(np.float64)
    if output.shape[0] != 1 or not values.size:
        raise BadWeights("broken_weights", f"The network's output {output.shape} is no list of classes.")
    if meta.output == "probabilities":
        return values
    values = np.exp(values - values.max())
    return np.asarray(values / values.sum())


def _entry(meta: WeightsMeta, class_id: int, probs: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "label": meta.label(class_id),
        "class_id": class_id,
        "confidence": round(float(probs[class_id]), 6),
    }
