"""Node rows follow the nodes' heartbeats, and now and then a sample of their load is kept.

A node is alive while its heartbeat differs from our clock by at most NODE_TIMEOUT, either way. The time in
the heartbeat is compared, not the file's: the two differ where clocks do, and then the log says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

import jobfolder
from apps.cluster.engines.verdict import fresh
from apps.cluster.models import Node
from apps.cluster.services import samples
from jobfolder import NodeHeartbeat

log = logging.getLogger(__name__)

_NTP = "; keep the clocks of all machines together (NTP)"
_MOST_SLOTS = 10_000
_REWRITE_SECONDS = 1.0  # how old `last_seen` may get while nothing else changes
_FROM_HEARTBEAT = ["engine", "state", "slots", "speed", "cores", "started", "last_seen"]


class NodeSync:
    """Remembers only what it wrote last, so as to write nothing when nothing has changed."""

    def __init__(self, engine: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._written: list[tuple[object, ...]] = []
        self._when = float("-inf")

    def run(self) -> None:
        now = self._clock()
        beats = [beat for beat in jobfolder.read_nodes(settings.DATA_DIR) if beat.engine == self._engine]
        alive = [beat for beat in beats if fresh(beat.time, now, settings.NODE_TIMEOUT)]
        facts = [(beat.node, beat.slots, beat.speed, beat.cores, beat.started) for beat in alive]
        if facts == self._written and 0 <= now - self._when < _REWRITE_SECONDS:
            return
        self._write(alive, beats, now)
        self._written, self._when = facts, now
        samples.take(now)

    def _write(self, alive: Sequence[NodeHeartbeat], beats: Sequence[NodeHeartbeat], now: float) -> None:
        names = {beat.node for beat in alive}
        known = dict(Node.objects.filter(engine=self._engine).values_list("name", "state"))
        lost = [name for name, state in known.items() if state == Node.State.READY and name not in names]
        if lost:
            Node.objects.filter(name__in=lost).update(state=Node.State.LOST)
            old = {beat.node: beat for beat in beats}
            for name in lost:
                log.warning("node %s is lost: %s", name, why_lost(old.get(name), now))
        for name in sorted(names):
            if known.get(name) != Node.State.READY:
                log.info("node %s is ready", name)
        if alive:
            Node.objects.bulk_create(
                [_row(beat) for beat in alive],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=_FROM_HEARTBEAT,
            )


def why_lost(beat: NodeHeartbeat | None, now: float) -> str:
    """In words for the log. A file that is rewritten while its time is off means that clocks differ."""
    if beat is None:
        return "it has left"
    age = now - beat.time
    try:
        rewritten = now - _file(beat.node).stat().st_mtime <= settings.NODE_TIMEOUT
    except OSError:
        rewritten = False
    if rewritten and age > 0:
        return f"its heartbeat is written, but its clock is {age:.0f} s behind ours{_NTP}"
    if age < 0:
        return f"its clock is {-age:.0f} s ahead of ours{_NTP}"
    return f"no sign of life for {age:.0f} s"


def _file(node: str) -> Path:
    return Path(settings.DATA_DIR) / "nodes" / f"{node}.json"


def _row(beat: NodeHeartbeat) -> Node:
    return Node(
        name=beat.node,
        engine=beat.engine,
        state=Node.State.READY,
        slots=min(max(1, beat.slots), _MOST_SLOTS),
        speed=beat.speed,
        cores=beat.cores[:80],
        started=datetime.fromtimestamp(min(max(0.0, beat.started), beat.time), UTC),
        last_seen=datetime.fromtimestamp(beat.time, UTC),
    )
