"""Preview servers on Kubernetes: scaled to zero while nobody needs them, and woken by who does.

Level-triggered: what is wanted is compared with what is there, again and again, and nothing is remembered
that matters. The Deployments are the manifests' (k8s/base/runtime); how many pods there are above one is the
autoscaler's word.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from django.conf import settings

import jobfolder
from apps.cluster import waking
from apps.cluster.engines.base import EngineError
from apps.cluster.kube import builders_runtime, reasons
from apps.cluster.kube.api import Api, NotThere, Thing
from apps.cluster.kube.client import Client
from apps.cluster.kube.seen import event_time, newest_warnings, when

log = logging.getLogger(__name__)

FOLDERS = ("endpoints", "weights", "drive", "cache")  # that pods mount: a node would make them as root
_PAUSE = 10.0  # seconds without a question after the API server did not answer
_FORGET = 3600.0  # seconds after which a pod's last heartbeat is of no use to anybody
_EVENTS = "type=Warning"
_PATIENCE = 20.0  # seconds for which a node may fail to mount or to set up: most often its next try succeeds


class Runtimes:
    """`families`: those that may be asked for, now. `clock`: seconds since the epoch."""

    def __init__(
        self,
        families: Callable[[], Iterable[str]],
        api: Api | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._families = families
        self._api = api or Client(settings.KUBE_NAMESPACE)
        self._clock = clock
        self._not_before = 0.0
        self._told: set[str] = set()  # families that are said to be in trouble

    def tend(self) -> None:
        """Scale each family as it is wanted, and say why one can't start. Costs one question while all is
        well."""
        now = self._clock()
        if now < self._not_before:
            return
        families = sorted(self._families())
        try:
            self._tend(families, now)
        except EngineError as error:
            log.warning("preview servers are left as they are: %s", error)
            self._not_before = now + _PAUSE
            for family in families:
                self._tell(family, "the cluster's API server does not answer or refuses.")

    def sweep(self) -> None:
        """Forget the heartbeats of pods that are long gone."""
        jobfolder.sweep_endpoints(settings.DATA_DIR, self._clock() - _FORGET)

    def _tend(self, families: list[str], now: float) -> None:
        found = self._api.list("deployments", builders_runtime.ALL).items
        there = {thing["metadata"]["name"]: thing for thing in found}
        wanted = waking.wanted(families)
        waiting = []
        for family in families:
            name = builders_runtime.name(family)
            if name not in there:
                text = f"the Deployment {name} is not in the namespace {settings.KUBE_NAMESPACE}; apply k8s/."
                self._tell(family, text)
                continue
            replicas = _replicas(there[name])
            target = self._target(family, replicas, wanted, now)
            if target != replicas:
                self._scale(family, name, target)
            if target and not (there[name].get("status") or {}).get("readyReplicas"):
                waiting.append(family)
            else:
                self._tell(family, "")
        if waiting:
            self._tell_why(waiting)

    def _target(self, family: str, replicas: int, wanted: Mapping[str, float], now: float) -> int:
        """At least one while it is wanted; none once it has not been for RUNTIME_IDLE_SECONDS."""
        idle = settings.RUNTIME_IDLE_SECONDS
        if not idle:
            return max(1, replicas)
        if family in wanted:
            return max(1, replicas) if now - wanted[family] < idle else 0
        if replicas:  # of a server whose last use nobody knows, the time counts from here
            waking.note(family, now)
        return replicas

    def _scale(self, family: str, name: str, target: int) -> None:
        if target:
            _make_folders()
        try:
            self._api.scale(name, target)
        except NotThere:
            return  # deleted just now; the next look says so
        log.info("preview servers of %s: %s", family, "woken" if target else "asleep")

    def _tell(self, family: str, trouble: str) -> None:
        if trouble:
            self._told.add(family)
            waking.tell(family, trouble)
        elif family in self._told:
            self._told.discard(family)
            waking.tell(family, "")

    def _tell_why(self, families: list[str]) -> None:
        pods = [pod for pod in self._api.list("pods", builders_runtime.ALL).items if not _leaves(pod)]
        warnings = self._api.list("events", fields=_EVENTS).items
        for family in families:
            mine = [pod for pod in pods if builders_runtime.family_of(pod) == family]
            self._tell(family, _why(builders_runtime.name(family), mine, warnings, self._clock()))


def _why(name: str, pods: list[Thing], warnings: list[Thing], now: float) -> str:
    """What keeps all its pods from starting; "" while they may just need a moment."""
    if not pods:
        made = [event for event in warnings if _is_about(event, "ReplicaSet", f"{name}-")]
        newest = max(made, key=event_time, default=None)
        return f"{reasons.not_created(newest.get('message') or '')[1]}." if newest else ""
    about, told = newest_warnings(warnings), []
    for pod in pods:
        cause, words = reasons.waiting(pod, about.get(pod["metadata"]["uid"], ("", "")))
        young = now - when(pod["metadata"].get("creationTimestamp")) < _PATIENCE
        moment = cause in ("", "creating") or (young and cause in ("volume", "container"))
        words = reasons.crashing(pod) or ("" if moment else words)
        if not words:
            return ""  # one is on its way
        told.append(words)
    return f"{told[0]}."


def _is_about(event: Thing, kind: str, prefix: str) -> bool:
    thing = event.get("involvedObject") or {}
    return thing.get("kind") == kind and str(thing.get("name", "")).startswith(prefix)


def _leaves(pod: Thing) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _replicas(deployment: Thing) -> int:
    return int((deployment.get("spec") or {}).get("replicas") or 0)


def _make_folders() -> None:
    for name in FOLDERS:
        (Path(settings.DATA_DIR) / name).mkdir(parents=True, exist_ok=True)
