"""What became of a worker in a pod, from three witnesses: its placement, its own heartbeat, and the cluster.

The heartbeat travels on the volume and the rest by the API server, so either may be away while the other
tells. The heartbeat says that a worker lives; the cluster says why it doesn't. Pure; times are seconds since
1970.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from apps.cluster.engines.base import Observation
from apps.cluster.engines.verdict import EXITED, Handed, fresh
from apps.cluster.kube.seen import Seen
from jobfolder import Heartbeat

SETTLE = 2.0  # heartbeats come twice a second: one that is older than this has stopped
ROOM_SECONDS = 15.0  # a node that was chosen and has no room is given up sooner: another may have some
SLOWLY = 5  # times KUBE_START_SECONDS for a node that is busy with the pod: it may be fetching the image
_OOM = "out_of_memory"


@dataclass(frozen=True)
class Cluster:
    """What the API server said last. `current`: lately enough to draw conclusions from what is missing."""

    ready: Collection[str] = ()  # nodes that answer
    nodes: Collection[str] = ()  # all of them
    current: bool = True
    error: str = ""


@dataclass(frozen=True)
class Limits:
    timeout: float  # NODE_TIMEOUT
    start: float  # KUBE_START_SECONDS


def judge(
    worker: str,
    handed: Handed | None,
    beat: Heartbeat | None,
    seen: Seen | None,
    cluster: Cluster,
    limits: Limits,
    now: float,
    stopping: bool = False,
) -> Observation:
    """`seen`: None if the cluster has no Job for the worker, as of a list made after it was placed; while
    that can't be said, pass `cluster` with `current=False`."""
    if beat is not None:
        return _judge_started(beat, seen, cluster, limits, now)
    if seen is not None and seen.phase == "ended":
        return _judge_ended(seen)
    if handed is None:
        raise ValueError(f"{worker} has neither a placement nor a heartbeat")
    if stopping and (seen is None or seen.phase != "running"):
        return Observation("exited", "It was told to stop before it started.")
    return _judge_silent(handed, seen, cluster, limits, now)


def _judge_started(
    beat: Heartbeat, seen: Seen | None, cluster: Cluster, limits: Limits, now: float
) -> Observation:
    node = seen.node if seen else ""
    name = node or beat.node
    if beat.state == "exited":
        return Observation("exited", _exit(str(beat.reason), seen), beat, node=node)
    age = now - beat.time
    if seen is not None and _has_ended(seen, beat, age):
        strike = _OOM if seen.cause == "memory" else "worker_died"
        return Observation("lost", seen.words, beat, node=node, strike=strike)
    if abs(age) > SETTLE and cluster.current and (gone := _gone(beat, seen)):
        return Observation("lost", gone, beat, node=node)
    if fresh(beat.time, now, limits.timeout):
        return Observation("running", "", beat, node=node)
    if cluster.current and name in cluster.nodes and name not in cluster.ready:
        return Observation("lost", f"{name} does not answer.", beat, node=node)
    return Observation("lost", f"No sign of life for {abs(age):.0f} s.", beat, node=node)


def _has_ended(seen: Seen, beat: Heartbeat, age: float) -> bool:
    """Whether the pod's end is the end of the process that has written this heartbeat."""
    if seen.phase != "ended" or not (seen.certain or age > SETTLE):
        return False
    return seen.ended_at == 0 or beat.started < seen.ended_at + 1


def _exit(reason: str, seen: Seen | None) -> str:
    if reason == "terminated":
        told = seen is not None and seen.cause in {"deadline", "evicted", "node"}
        return seen.words if seen and told else "Its pod was ended: deleted, or its node was drained."
    return EXITED.get(reason, reason.removeprefix("error: "))


def _gone(beat: Heartbeat, seen: Seen | None) -> str:
    """A worker that has stopped beating and whose objects are not what they were."""
    if seen is None:
        return "Its Job was deleted by hand."
    if seen.phase == "no pod" or (seen.pod_created > beat.started + 1 and seen.phase != "ended"):
        return "Its pod was deleted by hand."
    return ""


def _judge_ended(seen: Seen) -> Observation:
    if seen.cause == "done":
        return Observation("exited", seen.words, node=seen.node)
    return Observation("lost", f"It had not started. {seen.words}", node=seen.node)


def _judge_silent(
    handed: Handed, seen: Seen | None, cluster: Cluster, limits: Limits, now: float
) -> Observation:
    node = seen.node if seen else ""
    name = node or handed.node
    if not cluster.current:
        text = cluster.error or "The cluster has not answered yet."
        return Observation("waiting", text, stuck=bool(cluster.error), node=node)
    if name and name not in cluster.nodes:
        text = f"{name} gives no sign of life at all; the worker had not started."
        return Observation("lost", text, node=node)
    if name and name not in cluster.ready:
        return Observation("lost", f"{name} does not answer; the worker had not started.", node=node)
    if seen is None:
        return Observation("lost", "Its Job was deleted by hand before it started.")
    waited, words = now - handed.created, seen.words or f"{seen.node} is starting it"
    if waited > _patience(handed.node, seen, limits):
        return Observation("lost", f"Not started within {waited:.0f} s: {words}.", node=node)
    return Observation("waiting", f"{words}.", stuck=_is_stuck(seen, waited), node=node)


def _is_stuck(seen: Seen, waited: float) -> bool:
    return seen.cause not in {"", "creating"} or waited > ROOM_SECONDS


def _patience(chosen: str, seen: Seen, limits: Limits) -> float:
    if seen.cause == "room" and chosen:
        return min(ROOM_SECONDS, limits.start)
    if seen.cause in {"", "creating"} and seen.node:
        return SLOWLY * limits.start
    return limits.start
