"""What can be stored as JSON everywhere: PostgreSQL refuses NUL in text, JSON knows no infinity, and what is
nested too deep ends whoever walks it."""

from __future__ import annotations

import math
from typing import Any

MAX_DEPTH = 50


def is_storable(value: Any) -> bool:
    parts = [(value, 0)]
    while parts:
        part, depth = parts.pop()
        if depth > MAX_DEPTH or not _is_storable_alone(part):
            return False
        if isinstance(part, dict):
            parts += [(inner, depth + 1) for pair in part.items() for inner in pair]
        elif isinstance(part, list):
            parts += [(inner, depth + 1) for inner in part]
    return True


def _is_storable_alone(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return True
