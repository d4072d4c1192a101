"""A worker as the cluster shows it: its Job, its pod and the warnings about them, in one value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from apps.cluster.kube import reasons, slugs
from apps.cluster.kube.api import Thing
from apps.cluster.kube.builders import JOB, WORKER
from apps.cluster.kube.mirror import Sight
from apps.cluster.kube.reasons import Cause

Phase = Literal["no pod", "waiting", "running", "ended"]


@dataclass(frozen=True)
class Seen:
    """Times are seconds since 1970, 0 if not known."""

    job: str  # the platform's
    worker: str
    name: str  # of the Job object, and its uid
    uid: str
    phase: Phase
    cause: Cause = ""
    words: str = ""
    node: str = ""
    created: float = 0.0
    pod_created: float = 0.0
    ended_at: float = 0.0
    certain: bool = False  # the node itself has reported the end of the container
    leaving: bool = False  # being deleted

    @property
    def alive(self) -> bool:
        return self.phase != "ended"


def workers(sight: Sight) -> dict[str, Seen]:
    """All workers that have a Job, by name. A pod without a Job is not among them: it is on its way out."""
    pods: dict[str, list[Thing]] = defaultdict(list)
    for pod in sight.pods:
        pods[slugs.text_of(pod, WORKER)].append(pod)
    warnings = newest_warnings(sight.warnings)
    found = {}
    for job in sight.jobs:
        worker = slugs.text_of(job, WORKER)
        if worker:
            found[worker] = _seen(worker, job, pods[worker], warnings)
    return found


def _seen(worker: str, job: Thing, pods: list[Thing], warnings: Mapping[str, tuple[str, str]]) -> Seen:
    metadata = job["metadata"]
    base = Seen(
        job=slugs.text_of(job, JOB),
        worker=worker,
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        phase="no pod",
        created=when(metadata.get("creationTimestamp")),
        leaving=bool(metadata.get("deletionTimestamp")),
    )
    failed = reasons.job_failed(job)
    if not pods:
        if failed:
            cause, words = failed
            return replace(base, phase="ended", cause=cause, words=words)
        reason, message = warnings.get(base.uid, ("", ""))
        cause, words = (
            reasons.not_created(message) if reason else ("creating", "the cluster is making its pod")
        )
        return replace(base, cause=cause, words=words)
    pod = max(pods, key=lambda one: one["metadata"].get("creationTimestamp") or "")
    return _with_pod(base, job, pod, warnings)


def _with_pod(base: Seen, job: Thing, pod: Thing, warnings: Mapping[str, tuple[str, str]]) -> Seen:
    metadata, status = pod["metadata"], pod.get("status") or {}
    base = replace(
        base,
        node=pod["spec"].get("nodeName") or "",
        pod_created=when(metadata.get("creationTimestamp")),
        leaving=base.leaving or bool(metadata.get("deletionTimestamp")),
    )
    finished = _finished(status)
    if status.get("phase") in {"Succeeded", "Failed"} or finished:
        failed = reasons.job_failed(job)
        cause, words = reasons.ended(pod, _memory(pod))
        if failed and failed[0] == "deadline":
            cause, words = failed
        ended_at = when((finished or {}).get("finishedAt"))
        return replace(
            base, phase="ended", cause=cause, words=words, ended_at=ended_at, certain=finished is not None
        )
    states = [one.get("state") or {} for one in status.get("containerStatuses") or []]
    if any(state.get("running") for state in states):
        return replace(base, phase="running")
    cause, words = reasons.waiting(pod, warnings.get(metadata.get("uid", ""), ("", "")))
    return replace(base, phase="waiting", cause=cause, words=words)


def _finished(status: Thing) -> Thing | None:
    for one in status.get("containerStatuses") or []:
        if terminated := (one.get("state") or {}).get("terminated"):
            return terminated
    return None


def _memory(pod: Thing) -> str:
    limits = (pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}
    return str(limits.get("memory", ""))


def newest_warnings(events: Iterable[Thing]) -> dict[str, tuple[str, str]]:
    """(reason, message) of the newest warning about each object, by its uid."""
    ordered = sorted(events, key=event_time)
    return {
        (event.get("involvedObject") or {}).get("uid", ""): (
            event.get("reason") or "",
            event.get("message") or "",
        )
        for event in ordered
    }


def event_time(event: Thing) -> str:
    """When it was last seen, as the API writes it; "" for never."""
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def when(text: str | None) -> float:
    """Seconds since 1970 of a time as the API writes it; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
