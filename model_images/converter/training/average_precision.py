"""How good a detector is: average precision as COCO defines it (101 recall levels, one IoU threshold a
time)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

THRESHOLDS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
RECALLS = np.linspace(0, 1, 101)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`(len(a), len(b))` of boxes `(n, 4)`: left, top, right, bottom."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def average_precision(confidence: np.ndarray, correct: np.ndarray, truths: int) -> float:
    """Mean over RECALLS of the best precision at that recall or a higher one. NaN without truths."""
    if not truths:
        return float("nan")
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum(correct[order])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(hits / truths, RECALLS - 1e-12)
    return float(np.mean([best[i] if i < len(best) else 0.0 for i in place]))


def matches(found: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """Which of one picture's detections of one class hit a truth that no surer one has hit.

    found  `(n, 5)`: left, top, right, bottom, confidence; truth `(m, 4)`. Gives `(n,)` bool.
    """
    correct = np.zeros(len(found), bool)
    free = np.ones(len(truth), bool)
    overlap = iou(found[:, :4], truth)
    for index in np.argsort(-found[:, 4], kind="stable"):
        candidates = np.where(free, overlap[index], 0)
        if len(candidates) and candidates.max() >= threshold:
            correct[index] = True
            free[candidates.argmax()] = False
    return correct


def mean_average_precision(
    found: Sequence[np.ndarray], truth: Sequence[np.ndarray], classes: int
) -> dict[float, float]:
    """By IoU threshold, the mean over the classes that occur.

    found  a picture each `(n, 6)`: left, top, right, bottom, confidence, class
    truth  a picture each `(m, 5)`: left, top, right, bottom, class
    """
    scores = {}
    for threshold in THRESHOLDS:
        per_class = []
        for kind in range(classes):
            confidence, correct, truths = [], [], 0
            for detected, real in zip(found, truth, strict=True):
                mine, theirs = detected[detected[:, 5] == kind], real[real[:, 4] == kind, :4]
                confidence.append(mine[:, 4])
                correct.append(matches(mine[:, :5], theirs, threshold))
                truths += len(theirs)
            per_class.append(average_precision(np.concatenate(confidence), np.concatenate(correct), truths))
        scores[threshold] = float(np.nanmean(per_class))
    return scores
