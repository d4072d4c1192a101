"""Whose turn it is to go on with a run.

A task that finds its name gone was too slow, or the run was cancelled: it must change nothing more.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

from apps.benchmarks.models import BenchmarkRun
from marketplace.ids import new_id

SECONDS = 30.0  # how long a claim lasts without being renewed
RENEW = 3.0

ASK_AGAIN = 20.0  # seconds after which a run that nobody has taken is asked for again

S = BenchmarkRun.Status
ACTIVE = (S.QUEUED, S.RUNNING)


class Lost(Exception):
    """The run was cancelled, or another task has it now."""


def until(seconds: float) -> ExpressionWrapper:
    # The database's clock: the clocks of two machines may differ.
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def _expired() -> Q:
    return Q(leased_until__isnull=True) | Q(leased_until__lt=Now())


def mark_asked(run_id: str) -> bool:
    """True if nobody is at the run and nobody was asked lately; then it counts as asked for a while, which
    keeps no task from taking it."""
    rows = BenchmarkRun.objects.filter(_expired(), pk=run_id, status__in=ACTIVE)
    return bool(rows.update(leased_by="", leased_until=until(ASK_AGAIN)))


class Lease:
    """A task's claim on one run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{new_id()}"[:80]
        self._renewed = time.monotonic()

    def take(self) -> bool:
        """False when another task has it, and when there is nothing to do."""
        rows = BenchmarkRun.objects.filter(Q(leased_by="") | _expired(), pk=self.run_id, status__in=ACTIVE)
        return bool(rows.update(leased_by=self.holder, leased_until=until(SECONDS)))

    def beat(self) -> None:
        """Renew it if that is due. Raises Lost."""
        if time.monotonic() - self._renewed >= RENEW:
            self.update(leased_until=until(SECONDS))

    def update(self, **changes: Any) -> None:
        """Change the run, if it is still ours. Raises Lost."""
        rows = BenchmarkRun.objects.filter(pk=self.run_id, leased_by=self.holder, status__in=ACTIVE)
        if not rows.update(**changes):
            raise Lost(self.run_id)
        self._renewed = time.monotonic()

    def give_back(self, seconds: float | None = None, **changes: Any) -> None:
        """For the next task; `seconds`: until the chore asks for one."""
        self.update(leased_by="", leased_until=seconds and until(seconds), **changes)
