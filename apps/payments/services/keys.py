"""Idempotency-Keys of calls that move money."""

from __future__ import annotations

from marketplace.api import ApiError, conflict, invalid

_LENGTH = 80


def check(key: str | None) -> None:
    """422 for a key that can't be used."""
    if key is not None and (not key or len(key) > _LENGTH or not key.isprintable()):
        text = f"must be 1 to {_LENGTH} printable characters"
        raise invalid("invalid", "The Idempotency-Key can't be used.", {"Idempotency-Key": [text]})


def reused() -> ApiError:
    text = "This Idempotency-Key was used for another request. Nothing was done; send a new key."
    return conflict("idempotency_key_reused", text)
