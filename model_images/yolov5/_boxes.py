"""From a detector's output to boxes: confidence first, then non-maximum suppression.

candidates   `(n, 4)` x1, y1, x2, y2 in input pixels, `(n,)` confidence, `(n,)` class
The confidence of a box is objectness × its best class score (`yolov5`), or its best class score (`yolov5u`);
a box has one class. Suppression keeps the most confident box and drops those of its class (or, agnostic, of
any) whose intersection over union with it is above the limit, and so on (greedy suppression; done by
OpenCV).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import BadWeights, Tensor
from model_images.runtime.metadata import WeightsMeta

MAX_CANDIDATES = 3000  # the most confident ones: suppression compares each with each


class Candidates(NamedTuple):
    boxes: NDArray[np.float32]
    confidence: NDArray[np.float32]
    classes: NDArray[np.intp]

    def chosen(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        return Candidates(self.boxes[which], self.confidence[which], self.classes[which])


def candidates(output: Tensor, meta: WeightsMeta, confidence: float) -> Candidates:
    """Boxes of at least this confidence, at most MAX_CANDIDATES, the most confident first. Raises BadWeights
    when the output is none of a detector."""
    objectness = meta.output == "yolov5"
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2 if objectness else 1] < 5 + objectness:
        text = f"The network's output {output.shape} is none of a {meta.output} detector."
        raise BadWeights("broken_weights", text)
    found = (_with_objectness if objectness else _without)(output[0], confidence)
    order = np.argsort(-found.confidence, kind="stable")[:MAX_CANDIDATES]
    return found.chosen(order)


def _with_objectness(rows: Tensor, confidence: float) -> Candidates:
    """`(boxes, 5 + classes)`. No score is above 1, so a box of too little objectness is out already."""
    rows = rows[rows[:, 4] >= confidence]
    scores = rows[:, 5:]
    classes = scores.argmax(axis=1)
    best = scores[np.arange(len(rows)), classes] * rows[:, 4]
    kept = best >= confidence
    return Candidates(_corners(rows[kept, :4]), best[kept], classes[kept])


def _without(columns: Tensor, confidence: float) -> Candidates:
    """`(4 + classes, boxes)`."""
    best = columns[4:].max(axis=0)
    kept = np.flatnonzero(best >= confidence)
    few = columns[:, kept]
    return Candidates(_corners(few[:4].T), best[kept], few[4:].argmax(axis=0))


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centre and size to corners."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def suppressed(found: Candidates, iou: float, agnostic: bool, most: int) -> Candidates:
    """At most `most` boxes, the most confident first."""
    if not len(found.boxes):
        return found
    boxes = found.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    scores = found.confidence.tolist()
    if agnostic:
        kept = cv2.dnn.NMSBoxes(boxes, scores, 0.0, iou)
    else:
        kept = cv2.dnn.NMSBoxesBatched(boxes, scores, found.classes.tolist(), 0.0, iou)
    order = np.sort(np.asarray(kept, np.intp).reshape(-1))[:most]  # candidates are in order of confidence
    return found.chosen(order)
