"""Draws the picture that stands for the sample weights `shapes` on the market.

    python -m model_images.yolov5.demo_picture [--out marketplace/demo/pictures/shapes.jpg]

Five shapes are drawn on a demo photo that the weights were not trained on; the boxes, names and confidences
are what the app says about it at a least confidence of 40 %. At its default of 25 % it takes the coffee in
the cup for a heart, too (32 %): docs/samples.md tells how often such things happen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from model_images.converter.training import shapes
from model_images.runtime.contract import Array, Context, Result
from model_images.runtime.imageio import encode, open_source
from model_images.runtime.sessions import Session
from model_images.yolov5.yolov5 import Yolov5, Yolov5Params

ROOT = Path(__file__).resolve().parents[2]
PHOTO = shapes.PHOTOS / "coffee.jpg"
WEIGHTS = ROOT / "model_images" / "samples" / "shapes.onnx"
OUT = ROOT / "marketplace" / "demo" / "pictures" / "shapes.jpg"
QUALITY = 85
CONFIDENCE = 0.4

# Kind, centre x and y and radius in pixels of the photo, turn in degrees, RGB, width of the line (0: filled)
DRAWN = (
    ("star", 92, 92, 66, 10, (250, 205, 40), 0),
    ("heart", 500, 92, 64, -12, (225, 40, 60), 0),
    ("triangle", 90, 300, 66, 24, (40, 150, 235), 0),
    ("square", 520, 310, 62, 20, (60, 190, 110), 0),
    ("circle", 280, 336, 50, 0, (245, 245, 245), 0),
)


def drawn(photo: Array) -> Array:
    """A copy of `(h, w, 3)` uint8 RGB with the shapes on it."""
    picture = photo.copy()
    for kind, x, y, radius, degrees, colour, width in DRAWN:
        turn = np.radians(degrees)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = shapes.outline(kind) @ rotation.T * radius + (x, y)
        fixed = np.round(points * 16).astype(np.int32)[None]
        if width:
            cv2.polylines(picture, fixed, True, colour, width, cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(picture, fixed, colour, cv2.LINE_AA, 4)
    return picture


def detected(picture: Array) -> Result:
    """What the app answers; its image has the boxes on it."""
    source = open_source(encode(picture, "png").data)
    return Yolov5().process(source, Yolov5Params(confidence=CONFIDENCE), Context(weights=Session(WEIGHTS)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the picture of the shape finder's listing.")
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    result = detected(drawn(shapes.photos([PHOTO])[0]))
    out.write_bytes(encode(result.image, "jpeg", quality=QUALITY).data)
    found = [f"{one['label']} {one['confidence']:.0%}" for one in (result.data or {})["detections"]]
    sys.stdout.write(f"{out}: {', '.join(found)}\n")


if __name__ == "__main__":
    main()
