"""Nodes of a Kubernetes cluster: a worker is a Job with one pod, on the node that the policy chose.

Pods have no network: work, results and signs of life travel on the volume, as with any engine. The API
server is asked to start and to delete, and to say why something does not start or has ended. While it is
away, workers go on, results come in, and nothing is taken for lost because of it.

    placement   a row, made by the controller before its Job; or a lent slot, asked for by somebody else
    Job         the worker's object; its name follows from the worker's, so making it twice is one Job
    anchor      an empty ConfigMap a job, which owns its Jobs
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from django.conf import settings

import jobfolder
from apps.cluster.engines.base import EngineError, Observation, PlacementSpec
from apps.cluster.engines.podverdict import Cluster, Limits, judge
from apps.cluster.engines.verdict import Handed
from apps.cluster.kube import builders, nodes, seen
from apps.cluster.kube.api import AlreadyThere, Api, NotThere, Unreachable
from apps.cluster.kube.client import Client
from apps.cluster.kube.mirror import RELIST, Mirror, Sight
from apps.cluster.kube.nodes import NodeFacts
from apps.cluster.kube.seen import Seen
from apps.cluster.kube.specs import AnchorSpec, BatchSpec, Owner, Resources
from apps.cluster.services import lending
from apps.cluster.services.kubesync import KubeSync
from apps.processing import catalog
from apps.processing.models import Job, Placement
from marketplace.prepared import Prepared

_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)
_HANDED = Prepared(lambda job_id: Placement.objects.filter(job_id=job_id, state__in=_LIVE))
_IN_FLIGHT = 15.0  # seconds that another controller's order may be on its way to the API server
_OLD = 4 * RELIST  # seconds after which what was seen says nothing about now


@dataclass(frozen=True)
class _Work:
    """What a worker is for: a job, or what a slot is lent for."""

    job: str
    owner: str
    app: str
    processor: str
    weights: str


class KubernetesEngine:
    """`clock` is the time of day in seconds. `threads=False`: the cluster is asked at every look."""

    name: ClassVar[str] = "kubernetes"

    def __init__(
        self, api: Api | None = None, clock: Callable[[], float] = time.time, threads: bool = True
    ) -> None:
        self._api = api or Client(settings.KUBE_NAMESPACE)
        self._clock = clock
        self._mirror = Mirror(self._api, clock, threads)
        self._nodes = KubeSync(self.name)
        self._placed: dict[str, float] = {}  # workers whose Job this process has made, and when
        self._ended: set[str] = set()  # uids of what this process has deleted
        self._workers: tuple[int, Mapping[str, Mapping[str, Seen]]] = (-1, {})
        self._known: tuple[int, list[NodeFacts]] = (-1, [])

    def sync_nodes(self) -> None:
        self._mirror.start()
        sight = self._mirror.look()
        if sight.time and self._is_current(sight):
            self._nodes.run(self._facts(sight), self._clock())

    def place(self, spec: PlacementSpec) -> None:
        self._check_answers()
        batch = self._batch(_work_of(spec), spec)
        with suppress(AlreadyThere):  # made before, by this process or another
            self._api.create("jobs", builders.batch_job(batch))
        self._placed[spec.worker] = self._clock()

    def observe(self, job_id: str) -> dict[str, Observation]:
        now, folder, sight = self._clock(), self._folder(job_id), self._mirror.look()
        handed = {
            one.worker: Handed(one.node, one.created.timestamp())
            for one in _HANDED.models(job_id) or lending.of_job(job_id)
        }
        beats = {beat.worker: beat for beat in jobfolder.read_workers(folder)}
        objects = self._objects(sight).get(job_id, {})
        stopping, limits = jobfolder.stop_requested(folder), _limits()
        found = {}
        for worker in handed.keys() | beats.keys():
            given, one = handed.get(worker), objects.get(worker)
            cluster = self._cluster(sight, worker, given, now)
            found[worker] = judge(worker, given, beats.get(worker), one, cluster, limits, now, stopping)
        if any(one.state == "waiting" for one in found.values()):
            self._mirror.look_for_warnings()
        return found

    def stop(self, job_id: str) -> None:
        """Workers that run see the file. A pod that has not started is deleted at once. (The web process,
        which asks for this too, has no right to delete anything: the controller does it.)"""
        folder = self._folder(job_id)
        jobfolder.request_stop(folder)
        if not self._mirror.started or self._mirror.look().away:
            return  # `sweep` does the rest when the server is back
        beating = {beat.worker for beat in jobfolder.read_workers(folder)}
        for worker, one in self._objects(self._mirror.look()).get(job_id, {}).items():
            if worker not in beating and one.phase in {"no pod", "waiting"}:
                with suppress(EngineError):  # `sweep` does it when the server is back
                    self._remove(one)

    def cleanup(self, job_id: str) -> None:
        if self._mirror.started:
            self._delete("configmaps", builders.anchor_name(job_id))
        jobfolder.delete(self._folder(job_id))

    def sweep(self) -> None:
        """Delete Jobs whose placement has ended (those that ended by themselves a while later, for their
        logs), and anchors of jobs that have neither."""
        self._check_answers()
        jobs = self._api.list("jobs", builders.BATCH)
        anchors = self._api.list("configmaps", builders.BATCH)
        pods = self._api.list("pods", builders.BATCH)
        now = self._clock()
        objects = seen.workers(Sight(now, now, jobs=tuple(jobs.items), pods=tuple(pods.items)))
        live = set(
            Placement.objects.filter(worker__in=objects, state__in=_LIVE).values_list("worker", flat=True)
        ) | lending.workers(objects)
        for worker in objects.keys() - live:
            one = objects[worker]
            kept = not one.alive and now - (one.ended_at or one.created) < settings.KUBE_TTL_SECONDS
            if not kept and not one.leaving:
                self._remove(one, again=True)
        self._sweep_anchors(anchors.items, {one.job for one in objects.values()})
        self._placed = {worker: when for worker, when in self._placed.items() if worker in live}
        self._ended &= {one.uid for one in objects.values()}

    def _check_answers(self) -> None:
        """Who asks a server that does not answer waits for it, and so would all jobs. The mirror's threads
        find out when it is back."""
        sight = self._mirror.look() if self._mirror.started else None
        if sight and sight.away:
            raise Unreachable(sight.error)

    def _sweep_anchors(self, anchors: list[dict], busy: set[str]) -> None:
        named = {builders.job_of(anchor): anchor for anchor in anchors}
        active = Job.objects.filter(id__in=named, status__in=(Job.Status.QUEUED, Job.Status.RUNNING))
        for job_id in named.keys() - busy - set(active.values_list("id", flat=True)) - lending.jobs(named):
            metadata = named[job_id]["metadata"]
            self._delete("configmaps", metadata["name"], metadata.get("uid", ""))

    def _remove(self, one: Seen, again: bool = False) -> None:
        if again or one.uid not in self._ended:
            self._delete("jobs", one.name, one.uid)
            self._ended.add(one.uid)

    def _delete(self, kind: str, name: str, uid: str = "") -> None:
        with suppress(NotThere, AlreadyThere):  # gone already, or another one has its name by now
            self._api.delete(kind, name, uid=uid)

    def _batch(self, work: _Work, spec: PlacementSpec) -> BatchSpec:
        family = catalog.package_of(work.processor)
        if not family:
            raise EngineError(f"no container image is known for the app {work.processor}")
        return BatchSpec(
            namespace=settings.KUBE_NAMESPACE,
            worker=spec.worker,
            job=work.job,
            owner=work.owner,
            app=work.app,
            image=settings.KUBE_IMAGE.replace("{family}", family),
            claim=settings.KUBE_VOLUME_CLAIM,
            resources=_resources(),
            weights=work.weights,
            hostname=self._hostname(spec.node),
            pull_policy=settings.KUBE_PULL_POLICY,
            priority_class=settings.KUBE_PRIORITY_CLASS,
            deadline_seconds=settings.KUBE_JOB_SECONDS,
            ttl_seconds=settings.KUBE_TTL_SECONDS,
            anchor=self._anchor(work),
        )

    def _anchor(self, work: _Work) -> Owner:
        """Asked for each time: a Job whose owner does not exist any more would be deleted at once."""
        body = builders.anchor(AnchorSpec(settings.KUBE_NAMESPACE, work.job, work.owner, work.app))
        try:
            made = self._api.create("configmaps", body)
        except AlreadyThere:
            made = self._api.get("configmaps", body["metadata"]["name"])
        return Owner(made["metadata"]["name"], made["metadata"]["uid"])

    def _hostname(self, node: str) -> str:
        known = {fact.name: fact.hostname for fact in self._facts(self._mirror.look())}
        return known.get(node, node)

    def _facts(self, sight: Sight) -> list[NodeFacts]:
        number, known = self._known
        if number != sight.number:
            worker = _resources()
            known = [nodes.facts(node, worker) for node in sight.nodes]
            self._known = (sight.number, known)
        return known

    def _objects(self, sight: Sight) -> Mapping[str, Mapping[str, Seen]]:
        """By the platform's job, then by worker. Made once for what was seen, however many jobs ask."""
        number, objects = self._workers
        if number != sight.number:
            by_job: dict[str, dict[str, Seen]] = defaultdict(dict)
            for worker, one in seen.workers(sight).items():
                by_job[one.job][worker] = one
            objects = by_job
            self._workers = (sight.number, objects)
        return objects

    def _cluster(self, sight: Sight, worker: str, given: Handed | None, now: float) -> Cluster:
        placed = self._placed.get(worker, given.created + _IN_FLIGHT if given else 0.0)
        error = f"The cluster does not answer: {sight.error}" if sight.error else ""
        facts = self._facts(sight)
        return Cluster(
            ready={fact.name for fact in facts if fact.ready},
            nodes={fact.name for fact in facts},
            current=self._is_current(sight) and sight.jobs_time > placed,
            error=error,
        )

    def _is_current(self, sight: Sight) -> bool:
        return not sight.error and 0 <= self._clock() - sight.time < _OLD

    def _folder(self, job_id: str) -> Path:
        return jobfolder.job_dir(settings.DATA_DIR, job_id)


def _work_of(spec: PlacementSpec) -> _Work:
    job = Job.objects.filter(id=spec.job_id).first()
    if job:
        return _Work(job.id, job.owner_id, job.app, job.processor or job.app, job.weights)
    lent = lending.of_worker(spec.worker)
    if lent:
        return _Work(lent.job, lent.owner, lent.processor, lent.processor, lent.weights)
    raise EngineError(f"job {spec.job_id} is gone")


def _resources() -> Resources:
    return Resources(settings.KUBE_WORKER_CPU, settings.KUBE_WORKER_MEMORY)


def _limits() -> Limits:
    return Limits(settings.NODE_TIMEOUT, settings.KUBE_START_SECONDS)
