"""One controller acts at a time. The lease saves work and noise; correctness does not rest on it: every step
of the controller may be done twice, or by two at once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

from apps.processing.models import Lease
from marketplace.ids import new_id

SECONDS = 5.0  # how long a lease lasts without being renewed
RENEW = 1.0  # how often it is renewed


def _until(seconds: float) -> ExpressionWrapper:
    # The database's clock: the clocks of two machines may differ.
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


class Holder:
    """This process's claim on a lease."""

    def __init__(self, name: str = "controller", clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{new_id()[-8:]}"
        self._clock = clock
        self._renewed = float("-inf")

    def hold(self) -> bool:
        """True if this process may act now. Costs a query once every RENEW seconds while it does."""
        now = self._clock()
        if now - self._renewed < RENEW:
            return True
        if self._take():
            self._renewed = now
            return True
        self._renewed = float("-inf")
        return False

    def release(self) -> None:
        """Let another one act at once."""
        Lease.objects.filter(name=self.name, holder=self.holder).delete()
        self._renewed = float("-inf")

    def _take(self) -> bool:
        mine_or_free = Lease.objects.filter(Q(holder=self.holder) | Q(until__lt=Now()), name=self.name)
        if mine_or_free.update(holder=self.holder, until=_until(SECONDS)):
            return True
        if Lease.objects.filter(name=self.name).exists():
            return False
        try:
            Lease.objects.create(name=self.name, holder=self.holder, until=_until(SECONDS))
        except IntegrityError:
            return False  # another one was first
        return True
