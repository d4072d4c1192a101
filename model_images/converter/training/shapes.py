"""Photos with shapes drawn over them, and where each shape is: what the sample detector learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("circle", "square", "triangle", "star", "heart")

PHOTOS = Path(__file__).resolve().parents[3] / "marketplace" / "demo" / "photos"
HELD_OUT = ("cat", "coffee", "gravel")  # a face with round eyes, a round cup, texture: to measure on alone

SMALLEST, LARGEST = 0.08, 0.3  # radius of a shape as a part of the picture's side
CONTRAST = 110  # least distance in RGB of a shape's colour from the mean of what it covers
PADDING = 114  # `InputMeta.pad_value`
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
    lit = _part(rng, sources, size) * rng.uniform(0.7, 1.2) + rng.uniform(-20, 20)
    return np.ascontiguousarray(np.clip(lit, 0, 255), dtype=np.uint8)


def varied_backdrop(rng: np.random.Generator, sources: Sequence[np.ndarray], size: int) -> np.ndarray:
    """The same, and from few photos many that nobody took: two parts laid over each other or side by side,
    channels of their own contrast, coloured noise as fine or coarse as any texture."""
    picture = _part(rng, sources, size).astype(np.float32)
    kind = rng.random()
    if kind < 0.3:
        share = np.float32(rng.uniform(0.3, 0.7))
        picture = picture * share + _part(rng, sources, size) * (1 - share)
    elif kind < 0.5:
        edge = int(rng.integers(size // 4, 3 * size // 4))
        picture[:, edge:] = _part(rng, sources, size)[:, edge:]
    if rng.random() < 0.35:
        cells = int(size / rng.uniform(1.5, 24))
        noise = rng.standard_normal((cells, cells, 3 if rng.random() < 0.3 else 1), dtype=np.float32)
        noise = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, -1)
        picture = picture + noise * np.float32(rng.uniform(10, 70))
    if rng.random() < 0.3:
        picture = np.rot90(picture, int(rng.integers(4)))
    gain = rng.uniform(0.6, 1.4, 3 if rng.random() < 0.5 else 1).astype(np.float32)
    shift = rng.uniform(-40, 40, 3 if rng.random() < 0.5 else 1).astype(np.float32)
    picture = (picture - 128) * gain + 128 + shift
    return np.ascontiguousarray(np.clip(picture, 0, 255), dtype=np.uint8)


def _part(rng: np.random.Generator, sources: Sequence[np.ndarray], size: int) -> np.ndarray:
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
    return part


def drawn(
    rng: np.random.Generator,
    sources: Sequence[np.ndarray],
    size: int,
    varied: bool = False,
    letterboxed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """A picture `(size, size, 3)` uint8 RGB and its shapes `(n, 5)` float32: class, then centre x and y,
    width and height in pixels."""
    picture = (varied_backdrop if varied else backdrop)(rng, sources, size)
    _distract(rng, picture)
    least, most = _band(rng, size) if letterboxed else (np.zeros(2), np.full(2, float(size)))
    _pad(picture, least, most)
    shapes: list[list[float]] = []
    for _ in range(rng.integers(0, 7)):
        kind = int(rng.integers(len(CLASSES)))
        points, width = _place(rng, kind, size)
        low, high = points.min(0) - width / 2, points.max(0) + width / 2
        box = [*((low + high) / 2), *(high - low)]
        if (low < least).any() or (high > most).any() or any(_covers(box, other[1:]) for other in shapes):
            continue
        _paint(rng, picture, points, width)
        shapes.append([kind, *box])
    picture = _develop(rng, picture)
    _pad(picture, least, most)
    return picture, np.array(shapes, np.float32).reshape(-1, 5)


def _band(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and most x and y of a photo of 1:1 to 2:1, wide or high, in the middle of a square."""
    margin = int(rng.uniform(0, size / 4))
    across = np.array([0, 1] if rng.random() < 0.7 else [1, 0])
    return margin * across, size - margin * across


def _pad(picture: np.ndarray, least: np.ndarray, most: np.ndarray) -> None:
    """The grey of a letterbox around the band."""
    left, top = least.astype(int)
    right, bottom = most.astype(int)
    picture[:top] = picture[bottom:] = PADDING
    picture[:, :left] = picture[:, right:] = PADDING


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


def _paint(rng: np.random.Generator, picture: np.ndarray, points: np.ndarray, width: float) -> None:
    """Into `picture`, within the rectangle that the shape touches."""
    low = np.maximum(np.floor(points.min(0) - width - 2), 0).astype(int)
    high = np.ceil(points.max(0) + width + 2).astype(int)
    picture = picture[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(picture.shape[:2], np.uint8)
    fixed = np.round((points - low) * 16).astype(np.int32)[None]
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
    alpha = (mask.astype(np.float32) * np.float32(rng.uniform(0.85, 1.0) / 255))[..., None]
    picture[:] = picture * (1 - alpha) + colour.astype(np.float32) * alpha + 0.5


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
        grain = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(2, 8))
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return picture
