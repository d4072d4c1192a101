"""Idempotency-Keys of calls that move money."""

from __future__ import annotations

from apps.payments.ledger import Posted
from apps.payments.models import Account
from marketplace.api import ApiError, conflict, invalid

_LENGTH = 80


def check(key: str | None) -> None:
    """422 for a key that can't be used."""
    if key is not None and (not key or len(key) > _LENGTH or not key.isprintable()):
        text = f"must be 1 to {_LENGTH} printable characters"
        raise invalid("invalid", "The Idempotency-Key can't be used.", {"Idempotency-Key": [text]})


def same(posted: Posted, account: Account, amount: int, *, reason: str = "") -> None:
    """409 `idempotency_key_reused` if the key had done something else: moved another amount, into another
    account, or for another reason."""
    if posted.new:
        return
    moved = posted.transaction.entries.filter(account=account, amount=amount).exists()
    if not moved or posted.transaction.reason != reason:
        raise reused()


def reused() -> ApiError:
    text = "This Idempotency-Key was used for another request. Nothing was done; send a new key."
    return conflict("idempotency_key_reused", text)
