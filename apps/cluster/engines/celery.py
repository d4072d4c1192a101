"""Nodes that are Celery workers: one process and one queue a node, on the machines that share DATA_DIR.

A placement is a task, sent by name to the node's queue and acknowledged before it runs. Nothing rests on
redelivery: a task that is lost with its node, or with the broker, shows as a worker without a heartbeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

import jobfolder
from apps.cluster.engines.base import EngineError, Observation, PlacementSpec
from apps.cluster.engines.verdict import START_SECONDS, Handed, judge
from apps.cluster.services.sync import NodeSync
from apps.processing.models import Placement
from marketplace.prepared import Prepared

TASK = "model_images.node.run_batch"
_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)
_HANDED = Prepared(lambda job_id: Placement.objects.filter(job_id=job_id, state__in=_LIVE))


class CeleryEngine:
    """`clock` is the time of day in seconds."""

    name: ClassVar[str] = "celery"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sync = NodeSync(self.name, clock)

    def sync_nodes(self) -> None:
        self._sync.run()

    def place(self, spec: PlacementSpec) -> None:
        """A task that its node does not take within START_SECONDS expires: by then the worker counts as lost
        and another may have its work."""
        try:
            self._broker.send_task(
                TASK,
                args=[spec.job_id, spec.worker],
                task_id=spec.worker,
                queue=spec.node,
                expires=START_SECONDS,
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, OSError) as error:
            raise EngineError(f"the broker does not take work for {spec.node}: {error}") from error

    def observe(self, job_id: str) -> dict[str, Observation]:
        now, timeout, folder = self._clock(), settings.NODE_TIMEOUT, self._folder(job_id)
        handed = {
            placement.worker: Handed(placement.node, placement.created.timestamp())
            for placement in _HANDED.models(job_id)
        }
        beats = {beat.worker: beat for beat in jobfolder.read_workers(folder)}
        nodes = {beat.node: beat for beat in jobfolder.read_nodes(settings.DATA_DIR)}
        stopping = jobfolder.stop_requested(folder)
        seen = {}
        for worker in handed.keys() | beats.keys():
            given, beat = handed.get(worker), beats.get(worker)
            home = given or beat  # the placement's word counts: a worker handles strangers' files
            node = nodes.get(home.node if home else "")
            seen[worker] = judge(worker, given, beat, node, now, timeout, stopping)
        return seen

    def stop(self, job_id: str) -> None:
        jobfolder.request_stop(self._folder(job_id))

    def cleanup(self, job_id: str) -> None:
        jobfolder.delete(self._folder(job_id))

    def sweep(self) -> None:
        """A worker is a process of its node, which looks after it."""

    def _folder(self, job_id: str) -> Path:
        return jobfolder.job_dir(settings.DATA_DIR, job_id)

    @cached_property
    def _broker(self) -> Celery:
        app = Celery("placements", broker=settings.CELERY_BROKER_URL, set_as_current=False)
        app.conf.update(
            broker_transport_options={
                "socket_connect_timeout": 2,
                "socket_timeout": 5,
                "max_retries": 1,  # the controller tries again by itself
                "interval_start": 0,
            },
            broker_connection_timeout=2,
            task_ignore_result=True,
        )
        return app
