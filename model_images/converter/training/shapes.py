"""Photos with shapes drawn over them, and where each shape is: what the sample detector learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("circle", "square", "triangle", "star", "heart")

PHOTOS = Path(__file__).resolve().parents[3] / "marketplace" / "demo" / "photos"
HELD_OUT = ("cat", "coffee", "gravel")  # a face with round eyes, a round cup, texture: to measure on alone

SMALLEST, LARGEST = 0.065, 0.3  # radius of a shape as a part of the picture's side
CONTRAST = 70  # least distance in RGB of a shape's colour from what it covers
OVERLAP = 0.1  # most of the smaller of two boxes that the other may cover


def photos(paths: Sequence[Path]) -> list[np.ndarray]:
    """`(h, w, 3)` uint8 RGB each."""
    found = []
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(path)
        found.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return found


def demo_photos() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """To train on, and held out."""
    paths = sorted(PHOTOS.glob("*.jpg"))
    return (
        photos([p for p in paths if p.stem not in HELD_OUT]),
        photos([p for p in paths if p.stem in HELD_OUT]),
    )


def outline(kind: str) -> np.ndarray:
    """`(points, 2)` float64 of the closed outline within the unit circle, y down."""
    if kind == "heart":
        t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        x = 16 * np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return np.stack((x, y), 1) / 17
    corners = {"circle": 60, "square": 4, "triangle": 3, "star": 10}[kind]
    angle = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
    radius = np.where(np.arange(corners) % 2, 0.42, 1.0) if kind == "star" else 1.0
    return np.stack((np.cos(angle), np.sin(angle)), 1) * np.reshape(radius, (-1, 1))


def backdrop(rng: np.random.Generator, sources: Sequence[np.ndarray], size: int) -> np.ndarray:
    """`(size, size, 3)` uint8: a part of a photo, mirrored at random, lighter or darker at random."""
    source = sources[rng.integers(len(sources))]
    height, width = source.shape[:2]
    side = int(rng.uniform(min(size, height, width), min(height, width) + 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = cv2.resize(
        source[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA
    )
    if rng.random() < 0.5:
        part = part[:, ::-1]
    if rng.random() < 0.3:
        part = part[..., rng.permutation(3)]
    lit = np.clip(part * rng.uniform(0.7, 1.2) + rng.uniform(-20, 20), 0, 255)
    return np.ascontiguousarray(lit, dtype=np.uint8)


def drawn(
    rng: np.random.Generator, sources: Sequence[np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A picture `(size, size, 3)` uint8 RGB and its shapes `(n, 5)` float32: class, then centre x and y,
    width and height in pixels."""
    picture = backdrop(rng, sources, size)
    _distract(rng, picture)
    shapes: list[list[float]] = []
    for _ in range(rng.integers(0, 7)):
        kind = int(rng.integers(len(CLASSES)))
        points, width = _place(rng, kind, size)
        low, high = points.min(0) - width / 2, points.max(0) + width / 2
        box = [*((low + high) / 2), *(high - low)]
        if (low < 0).any() or (high > size).any() or any(_covers(box, other[1:]) for other in shapes):
            continue
        picture = _paint(rng, picture, points, width)
        shapes.append([kind, *box])
    return _develop(rng, picture), np.array(shapes, np.float32).reshape(-1, 5)


def _place(rng: np.random.Generator, kind: int, size: int) -> tuple[np.ndarray, float]:
    """Points of an outline in pixels, and the width of its line: 0 where it is filled."""
    radius = size * np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    turn = rng.uniform(0, 2 * np.pi)
    stretch = np.array([1.0, rng.uniform(0.85, 1.0)])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (outline(CLASSES[kind]) * stretch) @ rotation.T * radius
    width = 0.0 if rng.random() < 0.65 else float(max(2, round(radius * rng.uniform(0.12, 0.25))))
    return points + rng.uniform(radius * 0.8, size - radius * 0.8, 2), width


def _covers(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether boxes (centre, size) overlap by more than OVERLAP of the smaller."""
    sides = [
        min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
        for i in (0, 1)
    ]
    return min(sides) > 0 and sides[0] * sides[1] > OVERLAP * min(a[2] * a[3], b[2] * b[3])


def _paint(rng: np.random.Generator, picture: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    mask = np.zeros(picture.shape[:2], np.uint8)
    fixed = np.round(points * 16).astype(np.int32)[None]
    if width:
        cv2.polylines(mask, fixed, True, 255, int(width), cv2.LINE_AA, 4)
    else:
        cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, 4)
    under = np.array(cv2.mean(picture, mask)[:3])
    for _ in range(20):
        colour = rng.uniform(0, 255, 3)
        if np.linalg.norm(colour - under) >= CONTRAST:
            break
    else:
        colour = np.where(under < 128, 255.0, 0.0)
    alpha = (mask.astype(np.float32) / 255 * rng.uniform(0.8, 1.0))[..., None]
    return (picture * (1 - alpha) + colour.astype(np.float32) * alpha + 0.5).astype(np.uint8)


def _distract(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Lines and letters, which are no shapes."""
    size = picture.shape[0]
    for _ in range(rng.integers(0, 3)):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        start, end = rng.integers(0, size, 2).tolist(), rng.integers(0, size, 2).tolist()
        if rng.random() < 0.5:
            cv2.line(picture, start, end, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        else:
            letter = chr(int(rng.integers(ord("A"), ord("Z") + 1)))
            if letter not in "DOQ":  # which are nearly circles
                cv2.putText(
                    picture,
                    letter,
                    start,
                    cv2.FONT_HERSHEY_SIMPLEX,
                    rng.uniform(0.5, 1.5),
                    colour,
                    2,
                    cv2.LINE_AA,
                )


def _develop(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """As a camera and its JPEG would have it: at times a little soft, noisy, compressed."""
    if rng.random() < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.9))
    if rng.random() < 0.25:
        grain = rng.normal(0, rng.uniform(2, 8), picture.shape)
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return picture
