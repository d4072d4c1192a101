"""What became of a worker, from three witnesses: its placement, its own heartbeat and its node's.

Pure: files and clock are read by the caller. Times are seconds since 1970; see `fresh` about clocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.cluster.engines.base import Observation
from jobfolder import Heartbeat, NodeHeartbeat

START_SECONDS = 10.0  # from handing a worker to a node that is alive to its first heartbeat
_SETTLE = 2.0  # heartbeats come once a second: what two of them agree on is so

EXITED = {
    "done": "No photos were left for it.",
    "stopped": "It was told to stop.",
    "left": "Its slot was wanted for another job.",
    "terminated": "It was ended with its node.",
    "released": "Its photos were given to others.",
    "gone": "The job's folder was deleted.",
    "duplicate": "Another process had its name.",
    "recycled": "It had used too much memory and was ended.",
}


@dataclass(frozen=True)
class Handed:
    """A placement: which node the worker was given to, and when."""

    node: str
    created: float


def fresh(time: float, now: float, timeout: float) -> bool:
    """Whether a heartbeat of `time` counts as a sign of life. One from the future doesn't: its writer's clock
    is off, and it would look alive long after its death."""
    return abs(now - time) <= timeout


def judge(
    worker: str,
    handed: Handed | None,
    beat: Heartbeat | None,
    node: NodeHeartbeat | None,
    now: float,
    timeout: float,
    stopping: bool = False,
) -> Observation:
    """`node` is the heartbeat of the worker's node, however old; None if there is none. `stopping`: the job's
    workers were asked to end."""
    alive = node if node and fresh(node.time, now, timeout) else None
    if beat is not None:
        return _judge_started(worker, beat, alive, now, timeout)
    if handed is None:
        raise ValueError(f"{worker} has neither a placement nor a heartbeat")
    return _judge_silent(worker, handed, node, alive, now, stopping)


def _judge_silent(
    worker: str,
    handed: Handed,
    node: NodeHeartbeat | None,
    alive: NodeHeartbeat | None,
    now: float,
    stopping: bool,
) -> Observation:
    name, age = handed.node, now - handed.created
    if alive is None:
        silence = f"for {now - node.time:.0f} s" if node else "at all"
        return Observation("lost", f"{name} gives no sign of life {silence}; the worker had not started.")
    if worker in alive.running:
        return Observation("waiting", f"{name} is starting it.")
    if stopping and age > _SETTLE:
        return Observation("exited", "It was told to stop before it started.")
    if handed.created < alive.started < alive.time - _SETTLE:
        return Observation("lost", f"{name} was restarted after it was given the worker.")
    if age > START_SECONDS:
        return Observation("lost", f"{name} did not start it within {START_SECONDS:g} s.")
    return Observation("waiting", f"Handed to {name}.")


def _judge_started(
    worker: str, beat: Heartbeat, alive: NodeHeartbeat | None, now: float, timeout: float
) -> Observation:
    held = alive is not None and worker in alive.running
    if beat.state == "exited":
        if beat.reason == "recycled" and held:
            return Observation("running", "Being started again: it had used too much memory.", beat)
        reason = str(beat.reason)
        return Observation("exited", EXITED.get(reason, reason.removeprefix("error: ")), beat)
    if not fresh(beat.time, now, timeout):
        return Observation("lost", f"No sign of life for {abs(now - beat.time):.0f} s.", beat)
    if alive is not None and not held:
        if beat.started < alive.started < alive.time - _SETTLE:
            return Observation("lost", f"{alive.node} was restarted while it worked.", beat)
        if beat.time < alive.time - _SETTLE:
            return Observation("lost", f"Its process on {alive.node} ended without a word.", beat)
    return Observation("running", "", beat)
