"""YOLOv5 detectors: what is where in a photo, with boxes, labels and confidences.

The weights say how the photo is fitted into the network's input (usually letterboxed). Without a picture to
draw, a photo is decoded no larger than that input needs. Box coordinates are pixels of the upright photo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from model_images.runtime import dominant, tensors
from model_images.runtime.contract import (
    Array,
    BadParams,
    Context,
    ImageParams,
    Processor,
    Result,
    Route,
    Source,
)
from model_images.runtime.metadata import WeightsMeta
from model_images.runtime.tensors import Placed
from model_images.yolov5 import _boxes, _draw


class Yolov5Params(ImageParams):
    confidence: float = Field(
        0.25, ge=0.01, le=1, description="Least confidence of a detection", examples=[0.4]
    )
    iou: float = Field(
        0.45,
        ge=0,
        le=1,
        description="Boxes that overlap by more than this (intersection over union) count as one",
        examples=[0.6],
        title="Overlap",
    )
    classes: tuple[Annotated[str, Field(max_length=120)], ...] = Field(
        (),
        max_length=1000,
        description="Only these classes; none chosen means all",
        examples=[["person", "dog"]],
        json_schema_extra={"x-classes": True},
    )
    max_detections: int = Field(
        300, ge=1, le=1000, description="At most so many boxes, the most confident ones", examples=[20]
    )
    agnostic: bool = Field(
        False,
        description="Overlapping boxes count as one even if their classes differ",
        examples=[True],
        title="Across classes",
    )
    dominant_colour: bool = Field(
        False,
        description="Also name each object's dominant colour, on the RGB and the RYB wheel",
        examples=[True],
        title="Dominant colour",
    )
    draw: bool = Field(
        True, description="Also make a picture with the boxes on it", examples=[False], title="Draw the boxes"
    )
    draw_labels: bool = Field(
        True,
        description="Write class and confidence at each box",
        examples=[False],
        title="Labels",
        json_schema_extra={"x-group": "Drawing", "x-show-if": {"draw": [True]}},
    )
    line_width: int = Field(
        0,
        ge=0,
        le=20,
        description="Of the boxes, in pixels; 0 suits the photo's size",
        examples=[3],
        json_schema_extra={"x-group": "Drawing", "x-show-if": {"draw": [True]}},
    )


class Yolov5(Processor[Yolov5Params]):
    """Data: `detections`, the most confident first, and `counts` of them by label. Image: with the boxes.

    >>> Yolov5Params(confidence=0.5, max_detections=20).iou
    0.45
    """

    name = "yolov5"
    title = "Detector"
    summary = "Finds the objects that a YOLOv5 network was trained for: boxes, labels, confidences."
    kind = "detection"
    version = "1"
    outputs = ("image", "data")
    Params = Yolov5Params
    family = "yolov5"
    routes = (
        Route("detect", "Finds objects: the photo with boxes and labels, or JSON."),
        Route(
            "detect-to-json", "Finds objects: boxes, labels and confidences as JSON.", False, {"draw": False}
        ),
        Route(
            "detect-to-img",
            "Finds objects: JSON that holds the drawn photo in base64.",
            False,
            {"draw": True},
        ),
    )
    seconds_per_megapixel = 0.06

    def process(self, source: Source, params: Yolov5Params, context: Context) -> Result:
        network = context.network
        wanted = _wanted(params, network.meta)
        full = source.rgb() if params.draw else None
        photo = _placed(source, network.meta, full)
        found = _boxes.candidates(network.run(photo.tensor), network.meta, params.confidence)
        if wanted is not None:
            found = found.chosen(np.isin(found.classes, wanted))
        found = _boxes.suppressed(found, params.iou, params.agnostic, params.max_detections)
        detections = _detections(found, photo, source, network.meta, params.dominant_colour)
        counts = Counter(entry["label"] for entry in detections)
        return Result(
            image=None if full is None else _drawn(full, detections, params),
            data={"detections": detections, "counts": dict(sorted(counts.items()))},
        )


def _wanted(params: Yolov5Params, meta: WeightsMeta) -> list[int] | None:
    """Numbers of the chosen classes; None for all. Raises BadParams for a label that the weights lack."""
    if not params.classes:
        return None
    known = {label: number for number, label in enumerate(meta.classes)}
    missing = [label for label in params.classes if label not in known]
    if missing:
        text = f"these weights have no class called {missing[0]!r}"
        raise BadParams(f"classes: {text}.", {"classes": [text]})
    return [known[label] for label in params.classes]


def _placed(source: Source, meta: WeightsMeta, full: Array | None) -> Placed:
    if full is None or meta.input.color == "gray":
        return tensors.place(source, meta.input)
    return tensors.placed(full, source.header, meta.input, tensors.plan(source.header, meta.input))


def _detections(
    found: _boxes.Candidates, photo: Placed, source: Source, meta: WeightsMeta, colours: bool
) -> list[dict[str, Any]]:
    """As they are stored. Boxes are clipped to the photo; what lies outside of it is left out."""
    sides = np.array([source.header.width, source.header.height] * 2, np.float32)
    corners = np.clip(photo.to_photo(found.boxes), 0, sides)
    seen = tensors.in_colour(source, photo) if colours and len(corners) else photo.pixels
    detections = []
    for (x1, y1, x2, y2), confidence, class_id in zip(
        corners.tolist(), found.confidence.tolist(), found.classes.tolist(), strict=True
    ):
        if x2 - x1 < 0.5 or y2 - y1 < 0.5:
            continue
        entry: dict[str, Any] = {
            "label": meta.label(class_id),
            "class_id": class_id,
            "confidence": round(confidence, 4),
            "box": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
        }
        if colours:
            entry |= dominant.dominant(_part(seen, photo.region, entry["box"]))
        detections.append(entry)
    return detections


def _part(pixels: Array, region: tuple[float, float, float, float], box: Sequence[float]) -> Array:
    """What is in a box, from the `region` of the photo that `pixels` shows; at least one pixel."""
    x, y, across, down = region
    height, width = pixels.shape[:2]
    left, top = (box[0] - x) / across * width, (box[1] - y) / down * height
    right, below = left + box[2] / across * width, top + box[3] / down * height
    top, left = min(max(0, int(top)), height - 1), min(max(0, int(left)), width - 1)
    return pixels[top : max(top + 1, round(below)), left : max(left + 1, round(right))]


def _drawn(full: Array, detections: list[dict[str, Any]], params: Yolov5Params) -> Array:
    boxes = [_draw.Drawn(d["box"], d["class_id"], f"{d['label']} {d['confidence']:.0%}") for d in detections]
    return _draw.draw(full, boxes, params.line_width, params.draw_labels)
