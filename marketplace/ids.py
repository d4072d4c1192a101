"""Public identifiers: opaque, sortable by time, valid as a file name and as part of a Kubernetes name."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_ID = re.compile(r"[0-9a-z]{1,22}")


def _encode(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, rest = divmod(value, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def new_id() -> str:
    """22 characters: 9 of milliseconds since 1970, 13 (65 bits) of randomness."""
    return _encode(time.time_ns() // 1_000_000, 9) + _encode(secrets.randbits(65), 13)


def is_id(text: str) -> bool:
    """Anything else can't be in the database, and some of it (NUL) PostgreSQL would not even be asked."""
    return _ID.fullmatch(text) is not None
