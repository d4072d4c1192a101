"""One lock per owner. Whoever changes an owner's rows, or unlinks an owner's bytes, holds it.

It is the owner's row in the users' table: PostgreSQL locks the row (in a mode that does not block foreign
keys to it), SQLite has one writer anyway. Under it, checking the quota, picking a free name and walking the
tree can't be overtaken by another request of the same owner. Hold it for rows and renames only, never
while reading an upload or decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.http import Http404

from apps.accounts.models import User


@contextmanager
def owner(owner_id: str) -> Iterator[None]:
    """A transaction that holds the owner's lock until it commits. 404 if the owner is gone."""
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).filter(pk=owner_id)
        if not list(locked.values_list("pk", flat=True)):
            raise Http404("no such user")
        yield
