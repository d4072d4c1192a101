"""What needs doing now and then: old job folders, folders of nobody, what the engine made for workers that
have ended, the drive's trash, old Idempotency-Keys, weights whose intake was cut off, uploads that nobody
went on with, counts of free previews, money that waits, benchmarks that were cut off, slots that are lent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

import jobfolder
from apps.cluster import waking
from apps.cluster.engines import Engine, EngineError
from apps.cluster.services import lending
from apps.cluster.services.runtimes import Runtimes
from apps.payments.services import payouts
from apps.processing import catalog
from apps.processing.controller.placing import LIVE
from apps.processing.models import Job
from apps.processing.services import charging, once
from apps.processing.services.states import FINISHED

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=10)  # a finished job's folder can be looked at for so long
FIRST = 60.0  # seconds after the start
_BATCH = 50


class Chores:
    def __init__(self, engine: Engine, *, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._now = now
        start = clock()
        self._table: list[tuple[float, Callable[[], None]]] = [
            (10.0, self.clean_finished),
            (30.0, self.settle_money),
            (300.0, self.clean_orphans),
            (5.0, self.sweep_engine),
            (3600.0, self.purge_drive),
            (3600.0, self.forget_keys),
            (10.0, self.resume_intake),
            (3600.0, self.sweep_catalog),
            (3600.0, self.forget_tries),
            (5.0, self.resume_benchmarks),
        ]
        if engine.name == "kubernetes":
            self._table.append((0.5, self.tend_lent))
        if waking.sleeps():
            runtimes = Runtimes(catalog.packages)
            self._table += [(300.0, runtimes.sweep), (0.5, runtimes.tend)]
        # Soon after a start: one that is restarted every hour must come to all of them.
        self._due = [start + min(every, FIRST) for every, _ in self._table]

    def run(self) -> None:
        """At most one chore a call, so that a tick stays short: the one that has been due for longest, so
        that none waits for ever behind those due at every tick. An error waits for the next turn."""
        now = self._clock()
        index = min(range(len(self._table)), key=self._due.__getitem__)
        if now < self._due[index]:
            return
        every, chore = self._table[index]
        self._due[index] = now + every
        try:
            chore()
        except Exception:
            log.exception("%s failed; again in %g s", chore.__name__, every)

    def sweep_engine(self) -> None:
        """What the engine made for workers that are not wanted any more."""
        try:
            self._engine.sweep()
        except EngineError as error:
            log.warning("nothing could be swept: %s", error)

    def tend_lent(self) -> None:
        """Workers of benchmarks, which only this process may start."""
        try:
            lending.tend(self._engine)
        except EngineError as error:
            log.warning("lent slots could not be looked after: %s", error)

    def clean_finished(self) -> None:
        """Delete the folders of jobs that ended a while ago and have no worker left."""
        old = Job.objects.filter(
            status__in=FINISHED, finished__lt=self._now() - GRACE, cleaned_at=None
        ).exclude(placements__state__in=LIVE)
        for job in old.order_by("finished")[:_BATCH]:
            self._engine.cleanup(job.id)
            jobfolder.delete(jobfolder.job_dir(settings.DATA_DIR, job.id))
            # A retry may have queued it in between; then its folder is made anew when it starts.
            Job.objects.filter(id=job.id, attempt=job.attempt, status__in=FINISHED).update(
                cleaned_at=self._now()
            )

    def clean_orphans(self) -> None:
        """Delete folders whose job is gone, once nobody has written there for a while."""
        root = jobfolder.jobs_root(settings.DATA_DIR)
        names = {path.name for path in _folders(root)}
        known = set(Job.objects.filter(id__in=names).values_list("id", flat=True))
        for name in sorted(names - known):
            age = time.time() - (root / name).stat().st_mtime
            if age > GRACE.total_seconds():
                self._engine.cleanup(name)
                jobfolder.delete(root / name)
        jobfolder.sweep(root)

    def purge_drive(self) -> None:
        """Hand the drive's trash to a background worker: deleting many files takes a while."""
        from apps.drive.tasks import purge

        purge.delay()

    def settle_money(self) -> None:
        """Give back what was held for work that has ended; send payouts that wait for an answer."""
        charging.sweep()
        payouts.send_waiting()

    def forget_keys(self) -> None:
        once.forget_old(self._now())

    def resume_intake(self) -> None:
        """Weights whose task died, never came, or waits for the converter to be there."""
        from apps.catalog.tasks import resume

        resume()

    def sweep_catalog(self) -> None:
        from apps.catalog.tasks import sweep

        sweep.delay()

    def forget_tries(self) -> None:
        """Counts of free previews of days gone by."""
        from apps.market.services.tries import forget_old

        forget_old()

    def resume_benchmarks(self) -> None:
        """A benchmark whose task died or never came."""
        from apps.benchmarks.tasks import resume

        resume()


def _folders(root: Path) -> list[Path]:
    if not root.exists():
        return []
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
