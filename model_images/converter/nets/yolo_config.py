"""A network's description, as YOLOv5 checkpoints carry it, read into rows that can be built.

A description has rows `[from, number, module, args]` below `backbone` and `head`. `from` counts from the
start, or back from the row itself where negative; `number` is scaled by the depth multiple, channels by the
width multiple. It comes with an upload, so nothing in it is evaluated, and every number has bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ROWS = 200
MAX_REPEATS = 64
MAX_CHANNELS = 4096
DIVISOR = 8  # channels are multiples of it

# Standard v6 network: what a bare state dict with 25 rows is taken for.
STANDARD: dict[str, Any] = {
    "backbone": [
        [-1, 1, "Conv", [64, 6, 2, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 3, "C3", [128]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 6, "C3", [256]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 9, "C3", [512]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 3, "C3", [1024]],
        [-1, 1, "SPPF", [1024, 5]],
    ],
    "head": [
        [-1, 1, "Conv", [512, 1, 1]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 3, "C3", [512, False]],
        [-1, 1, "Conv", [256, 1, 1]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 3, "C3", [256, False]],
        [-1, 1, "Conv", [256, 3, 2]],
        [[-1, 14], 1, "Concat", [1]],
        [-1, 3, "C3", [512, False]],
        [-1, 1, "Conv", [512, 3, 2]],
        [[-1, 10], 1, "Concat", [1]],
        [-1, 3, "C3", [1024, False]],
        [[17, 20, 23], 1, "Detect", ["nc", "anchors"]],
    ],
}

# (depth, width) -> the name everybody knows it by
SIZES = {(0.33, 0.25): "n", (0.33, 0.5): "s", (0.67, 0.75): "m", (1.0, 1.0): "l", (1.33, 1.25): "x"}


class Unsupported(ValueError):
    """The description holds something that these networks don't have; the message names it."""


@dataclass(frozen=True)
class Row:
    """`sources` are indices of earlier rows, -1 for the image; `args` without the leading output channels."""

    sources: tuple[int, ...]
    repeats: int
    module: str
    channels: int | None
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Description:
    rows: tuple[Row, ...]
    classes: int
    channels: int  # of the image
    depth: float
    width: float

    @property
    def size(self) -> str:
        """n, s, m, l, x, or nothing for another width or depth."""
        return SIZES.get((round(self.depth, 2), round(self.width, 3)), "")


def scaled_channels(channels: float, width: float) -> int:
    """`channels · width`, rounded up to a multiple of DIVISOR."""
    return math.ceil(channels * width / DIVISOR) * DIVISOR


def scaled_repeats(repeats: int, depth: float) -> int:
    return max(round(repeats * depth), 1) if repeats > 1 else repeats


def read(config: Mapping[str, Any], classes: int, unscaled: int) -> Description:
    """The description in `config` for this many classes. Raises Unsupported.

    unscaled  a number of channels that the width multiple does not apply to: the originals leave alone a
              layer whose channels happen to equal the head's outputs
    """
    depth, width, limit = _multiples(config)
    listed = [*_list(config.get("backbone"), "backbone"), *_list(config.get("head"), "head")]
    if not 2 <= len(listed) <= MAX_ROWS:
        raise Unsupported(f"{len(listed)} layers, where 2 to {MAX_ROWS} are expected")

    def scale(channels: int) -> int:
        return channels if channels == unscaled else scaled_channels(min(channels, limit), width)

    rows = []
    for index, entry in enumerate(listed):
        if len(entry := _list(entry, f"layer {index}")) != 4:
            raise Unsupported(f"layer {index} is not [from, number, module, args]")
        rows.append(_row(index, entry, depth, scale))
    return Description(
        tuple(rows), classes, _whole(config.get("ch", config.get("channels", 3)), "ch", 16), depth, width
    )


def _multiples(config: Mapping[str, Any]) -> tuple[float, float, float]:
    """Depth and width multiple and the most channels before scaling."""
    scales = config.get("scales")
    if isinstance(scales, Mapping) and scales:
        chosen = config.get("scale") or next(iter(scales))
        values = _list(scales.get(chosen), "scales")
    else:
        values = [config.get("depth_multiple", 1.0), config.get("width_multiple", 1.0)]
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    if len(numbers) != len(values) or not 2 <= len(values) <= 3:
        raise Unsupported("depth and width multiples are not two numbers")
    depth, width, limit = (*numbers, math.inf)[:3]
    if not (0 < depth <= 4 and 0 < width <= 4):
        raise Unsupported(f"depth multiple {depth:g} or width multiple {width:g} is not between 0 and 4")
    return depth, width, limit


def _row(index: int, entry: Sequence[Any], depth: float, scale: Any) -> Row:
    origin, number, module, args = entry
    if not isinstance(module, str):
        raise Unsupported(f"layer {index} has no module name")
    module = module.rpartition(".")[2]
    args = [None if a == "None" else a for a in _list(args, f"arguments of layer {index}")]
    sources = tuple(_source(index, f) for f in (origin if isinstance(origin, list | tuple) else [origin]))
    repeats = scaled_repeats(_whole(number, f"number of layer {index}", MAX_REPEATS), depth)
    channels = None
    if module not in {"Upsample", "Concat", "Detect"}:
        if not args:
            raise Unsupported(f"layer {index} ({module}) has no channels")
        channels = scale(_whole(args.pop(0), f"channels of layer {index}", MAX_CHANNELS))
    return Row(sources, min(repeats, MAX_REPEATS), module, channels, tuple(args))


def _source(index: int, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unsupported(f"layer {index} takes its input from {value!r}")
    absolute = index + value if value < 0 else value
    if absolute >= index or absolute < (-1 if index == 0 else 0):
        raise Unsupported(f"layer {index} takes its input from {value}, which is not before it")
    return absolute


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Unsupported(f"{what} is not a list")
    return list(value)


def _whole(value: Any, what: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise Unsupported(f"{what} is {value!r}, where 1 to {most} is expected")
    return value
