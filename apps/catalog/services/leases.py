"""Whose turn the intake of a version is.

claimed    `leased_by` names a task, and `leased_until`, in the database's time, is still to come
lost       a task that finds its name gone was too slow, and another has begun: it must change nothing more

`leased_until` of a version that nobody has claimed is when it is asked for again, should no task come.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from apps.catalog.models import Version
from marketplace.ids import new_id

SECONDS = 30.0  # how long a claim lasts without being renewed
RENEW = 5.0
ASK_AGAIN = 60.0  # seconds after which a version that nobody claims is sent to the queue again

S = Version.Status
IN_HAND = (S.UPLOADED, S.CONVERTING, S.CHECKING, S.MEASURING)


class Lost(Exception):
    """Another task has this version now."""


def until(seconds: float) -> ExpressionWrapper:
    # The database's clock: the clocks of two machines may differ.
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


class Lease:
    """A task's claim on one version."""

    def __init__(self, version_id: str) -> None:
        self.version_id = version_id
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{new_id()}"[:80]

    def take(self) -> bool:
        """False when another task has it, and when there is nothing to do."""
        free = Q(leased_by="") | Q(leased_until__isnull=True) | Q(leased_until__lt=Now())
        rows = Version.objects.filter(free, pk=self.version_id, status__in=IN_HAND)
        return bool(
            rows.update(leased_by=self.holder, leased_until=until(SECONDS), attempts=F("attempts") + 1)
        )

    def renew(self) -> None:
        self.update(leased_until=until(SECONDS))

    def update(self, **changes: Any) -> None:
        """Change the version, if it is still ours. Raises Lost."""
        rows = Version.objects.filter(pk=self.version_id, leased_by=self.holder, status__in=IN_HAND)
        if not rows.update(**changes):
            raise Lost(self.version_id)

    def give_back(self, seconds: float, **changes: Any) -> None:
        """Somebody is to try again in `seconds`."""
        self.update(leased_by="", leased_until=until(seconds), **changes)


def unclaimed(most: int = 50) -> list[str]:
    """Versions whose task has died or never came. Marked, so that they are not found again at once."""
    due = Version.objects.filter(Q(leased_until__isnull=True) | Q(leased_until__lt=Now()), status__in=IN_HAND)
    found = list(due.order_by("created").values_list("pk", flat=True)[:most])
    due.filter(pk__in=found).update(leased_by="", leased_until=until(ASK_AGAIN))
    return found
