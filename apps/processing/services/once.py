"""Requests that may be sent twice: what an Idempotency-Key has done already, also after its job is gone.

A key belongs to its owner and to one operation: `submit`, or `retry` of one job. Look up and remember under
the owner's lock (`apps.drive.locks`): of two requests with the same key one acts, and the other finds it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from apps.accounts.models import User
from apps.processing.models import UsedKey
from marketplace.api import conflict, invalid

KEPT = timedelta(days=7)
SUBMIT = "submit"
_LENGTH = 80


def retry_of(job_id: str) -> str:
    return f"retry {job_id}"


def check(key: str | None) -> None:
    """422 for a key that can't be used."""
    if key is not None and (len(key) > _LENGTH or not key.isprintable()):
        text = f"must be at most {_LENGTH} printable characters"
        raise invalid("invalid", "The Idempotency-Key can't be used.", {"Idempotency-Key": [text]})


def digest(request: object) -> str:
    """sha256 of a request's attributes: the same for the same body, whatever the order of its options."""
    try:
        text = json.dumps(vars(request), sort_keys=True)
    except RecursionError:
        raise invalid("invalid", "The request is nested too deep.") from None
    return hashlib.sha256(text.encode()).hexdigest()


def done(owner: User, key: str | None, operation: str, body: str = "") -> str | None:
    """The id of the job that the key has led to, None for a new key. 409 `idempotency_key_reused` when it was
    used with another body."""
    used = UsedKey.objects.filter(owner=owner, key=key, operation=operation).first() if key else None
    if used is None:
        return None
    if used.body != body:
        text = "This Idempotency-Key was used for another request. Nothing was started; send a new key."
        raise conflict("idempotency_key_reused", text)
    return used.job_id


def remember(owner: User, key: str | None, operation: str, job_id: str, body: str = "") -> None:
    if key:
        UsedKey.objects.create(owner=owner, key=key, operation=operation, body=body, job_id=job_id)


def forget_old(now: datetime) -> None:
    UsedKey.objects.filter(created__lt=now - KEPT).delete()
