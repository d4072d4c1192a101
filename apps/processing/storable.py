"""What can be stored as JSON everywhere: PostgreSQL refuses NUL in text, JSON knows no infinity."""

from __future__ import annotations

import math
from typing import Any


def is_storable(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(is_storable(name) and is_storable(part) for name, part in value.items())
    return not isinstance(value, list) or all(map(is_storable, value))
