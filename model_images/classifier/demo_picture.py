"""Draws the picture that stands for the sample weights `digits` on the market.

    python -m model_images.classifier.demo_picture [--out marketplace/demo/pictures/digits.jpg]

Eight real digits that the weights were not trained with, each as ink on paper, and below each what the app
says about that photo alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from model_images.classifier.classifier import Classifier, ClassifierParams
from model_images.runtime.contract import Array, Context
from model_images.runtime.imageio import encode, open_source
from model_images.runtime.sessions import Session

ROOT = Path(__file__).resolve().parents[2]
SHEET = ROOT / "tests" / "families" / "held_out_digits.png"  # 10 × 10 tiles of 8×8 pixels, ink × 240
WEIGHTS = ROOT / "model_images" / "samples" / "digits.onnx"
OUT = ROOT / "marketplace" / "demo" / "pictures" / "digits.jpg"
QUALITY = 85
TILE = 150
ACROSS = 4

# Row (the digit) and column of the sheet; RGB of the ink, RGB of the paper.
DRAWN = (
    (7, 2, (25, 40, 110), (250, 247, 238)),
    (2, 0, (245, 245, 240), (44, 74, 62)),
    (0, 4, (30, 30, 30), (255, 222, 120)),
    (3, 1, (160, 30, 40), (246, 246, 246)),
    (5, 3, (250, 250, 250), (60, 64, 90)),
    (8, 2, (20, 90, 60), (235, 240, 224)),
    (6, 0, (40, 30, 90), (248, 214, 208)),
    (4, 7, (35, 35, 35), (252, 252, 250)),
)


def photo(row: int, column: int, ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Array:
    """One digit of the sheet as `(TILE, TILE, 3)` uint8 RGB."""
    sheet = cv2.imread(str(SHEET), cv2.IMREAD_GRAYSCALE)
    small = sheet[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].astype(np.float32) / 240
    side = TILE * 7 // 10
    large = cv2.resize(np.pad(small, 1), (side, side), interpolation=cv2.INTER_CUBIC)
    edge = np.clip((cv2.GaussianBlur(large, (0, 0), 2) - 0.5) / 0.15, 0, 1)
    strength = np.zeros((TILE, TILE, 1), np.float32)
    top, left = (TILE - side) // 4, (TILE - side) // 2
    strength[top : top + side, left : left + side, 0] = edge
    return (strength * np.float32(ink) + (1 - strength) * np.float32(paper)).round().astype(np.uint8)


def answer(picture: Array) -> dict[str, Any]:
    """The app's best class for one photo: `label` and `confidence`."""
    source = open_source(encode(picture, "png").data)
    result = Classifier().process(source, ClassifierParams(), Context(weights=Session(WEIGHTS)))
    best: dict[str, Any] = (result.data or {})["classes"][0]
    return best


def drawn() -> tuple[Array, list[dict[str, Any]]]:
    """All digits with their answers written below, and the answers."""
    tiles, answers = [], []
    for row, column, ink, paper in DRAWN:
        tile = photo(row, column, ink, paper)
        best = answer(tile)
        text = f"{best['label']} {best['confidence']:.0%}"
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 0.55, 1)
        at = ((TILE - width) // 2, TILE - 14)
        cv2.putText(tile, text, at, cv2.FONT_HERSHEY_DUPLEX, 0.55, ink, 1, cv2.LINE_AA)
        tiles.append(tile)
        answers.append(best)
    rows = [np.hstack(tiles[start : start + ACROSS]) for start in range(0, len(tiles), ACROSS)]
    return np.vstack(rows), answers


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the picture of the digit classifier's listing.")
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    picture, answers = drawn()
    out.write_bytes(encode(picture, "jpeg", quality=QUALITY).data)
    sys.stdout.write(f"{out}: {', '.join(one['label'] for one in answers)}\n")


if __name__ == "__main__":
    main()
