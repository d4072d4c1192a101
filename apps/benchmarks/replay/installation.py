"""Traces on the nodes that this installation has, for the Benchmarks page: `nodes()` and `run()`.

Photos can't be made for any work that is asked for: some apps need less for the largest photo that the
platform takes. Then the whole trace is made faster, arrivals and work alike; an outcome's records have the
times and the work that it really had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet

import jobfolder
from apps.benchmarks.engines import EngineBusy, EngineError
from apps.benchmarks.replay import lent
from apps.benchmarks.replay.calibration import Calibration, as_run, calibrate
from apps.benchmarks.replay.dispatch import ReplayError, Setup, replay
from apps.benchmarks.replay.photos import Bank
from apps.benchmarks.replay.queues import Work
from apps.cluster import engines as cluster_engines
from apps.cluster.models import Node
from apps.processing import catalog
from apps.processing.models import Job, Placement
from loadbalancer.records import Outcome
from loadbalancer.workload import NodeSpec, Trace

Beat = Callable[[], None]

DEFAULT_APP = "blackwhite"
HEAVY: dict[str, dict[str, Any]] = {"blackwhite": {"mode": "dither"}}  # options whose work follows pixels
SMALLEST, TYPICAL, LARGEST = 0.5, 2.0, 10.0  # megapixels that are tried
_KEPT = 900  # seconds that a calibration is believed
_PATIENCE = 240.0
_LOOK = 0.5  # seconds between looks whether somebody has a job
_LIVE = (Placement.State.PLACED, Placement.State.RUNNING)


def nodes() -> tuple[NodeSpec, ...]:
    """The nodes that may get work, by name, speeds relative to the slowest. Raises EngineError."""
    rows = list(_usable().order_by("name"))
    if not rows:
        raise EngineError("No node is ready. Start one, or take back a cordon.")
    slowest = min(max(row.speed, 0.1) for row in rows)
    return tuple(
        NodeSpec(row.name, round(max(row.speed, 0.1) / slowest, 3), row.slots, max(1, row.weight))
        for row in rows
    )


def _usable() -> QuerySet[Node]:
    return Node.objects.filter(state=Node.State.READY, cordoned=False, closed="")


def run(
    trace: Trace,
    nodes: Sequence[NodeSpec],
    policy: str,
    *,
    seed: int,
    chunk_seconds: float,
    app: str,
    beat: Beat,
) -> Outcome:
    """Replay the trace on these nodes, which must be ready. Its workers are no jobs of anybody's: photos and
    results are removed at the end. A job that somebody sends ends it with EngineBusy.
    Raises EngineError, and what `beat` raises."""
    _make_way()
    work, bank = _work(app), Bank(settings.DATA_DIR)
    setup, beat = _setup(beat)
    try:
        nodes = _with_room(setup, nodes, work, beat)
        found = _calibration(setup, work, bank, beat)
        fitted, photos = found.fitted(feasible(trace, found), bank)
        outcome = replay(
            setup,
            fitted,
            nodes,
            policy,
            work=work,
            photos=photos,
            seed=seed,
            chunk_seconds=chunk_seconds,
            warm=not any(node.cold or node.startup for node in nodes),
            beat=beat,
        )
    except (ReplayError, cluster_engines.EngineError) as error:
        cache.delete(_key("room", work))  # something else may have taken it since
        raise EngineError(str(error)) from error
    return as_run(outcome)


def _make_way() -> None:
    """People's work goes first: on the nodes, and in the queue for them."""
    busy = Placement.objects.filter(state__in=_LIVE).exists()
    if busy or Job.objects.filter(status__in=(Job.Status.QUEUED, Job.Status.RUNNING)).exists():
        raise EngineBusy("Jobs are running on the nodes. It goes on when they have ended.")


def _setup(beat: Beat) -> tuple[Setup, Beat]:
    """Where it runs, and what is to be called while it does: a job that comes in ends it."""
    limits = jobfolder.Limits(image_seconds=settings.JOB_IMAGE_SECONDS, max_bytes=settings.MAX_IMAGE_BYTES)
    if settings.ENGINE == "kubernetes":
        setup, lender = lent.setup(
            settings.DATA_DIR, settings.NODE_TIMEOUT, limits=limits, patience=_PATIENCE
        )
        return setup, _every(_LOOK, lender.beat, beat, _make_way)
    engine = cluster_engines.get_engine()
    setup = Setup(engine, settings.DATA_DIR, settings.NODE_TIMEOUT, limits=limits, patience=_PATIENCE)
    return setup, _every(_LOOK, beat, _make_way)


def _every(seconds: float, *beats: Beat) -> Beat:
    """All of them, not more often than that."""
    last = float("-inf")

    def both() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            for one in beats:
                one()

    return both


def _with_room(setup: Setup, wanted: Sequence[NodeSpec], work: Work, beat: Beat) -> Sequence[NodeSpec]:
    """With the slots that can be had beside what else runs there; tried once for all cells of a run. Where
    nodes are nobody else's, all slots can."""
    if settings.ENGINE != "kubernetes":
        return wanted
    key = _key("room", work)
    found: dict[str, int] | None = cache.get(key)
    if found is None:
        found = lent.rooms(setup, nodes(), work, beat)
        cache.set(key, found, timeout=_KEPT)
    gone = [node.name for node in wanted if node.name not in found]
    if gone:
        raise EngineError(f"{gone[0]} is not there any more. Start another run, on the nodes there are.")
    return [replace(node, slots=min(node.slots, found[node.name])) for node in wanted]


def feasible(trace: Trace, found: Calibration) -> Trace:
    """The trace, faster as a whole if its mean image would need a photo of more than LARGEST megapixels."""
    mean = sum(task.work for task in trace) / max(1, len(trace))
    most = found.work(LARGEST / 2)
    if mean <= most:
        return trace
    factor = found.work(TYPICAL) / mean
    return tuple(replace(task, arrival=task.arrival * factor, work=task.work * factor) for task in trace)


def _work(app: str) -> Work:
    found = catalog.built_in().get(app or DEFAULT_APP)
    if found is None or found.family:
        raise EngineError(f"{app!r} is no app that can be measured. Choose one that needs no weights.")
    return Work(found.runs, HEAVY.get(found.id, {}), version=found.version)


def _everyone() -> list[tuple[str, Any]]:
    return sorted(_usable().values_list("name", "started"))


def _key(what: str, work: Work) -> str:
    """It changes with the nodes."""
    return f"benchmarks:{what}:{work.app}:{crc32(repr(_everyone()).encode()):x}"


def _calibration(setup: Setup, work: Work, bank: Bank, beat: Beat) -> Calibration:
    """Measured once for all cells of a run: they must have the same photos."""
    key = _key("calibration", work)
    kept = cache.get(key)
    if kept is None:
        specs = [NodeSpec(name) for name, _ in _everyone()]
        kept = calibrate(setup, specs, work, bank, smallest=SMALLEST, largest=LARGEST, beat=beat)
        cache.set(key, kept, timeout=_KEPT)
    found: Calibration = kept
    return found
