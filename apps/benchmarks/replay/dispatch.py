"""A trace on real node workers, by the clock: arrivals don't wait for what came before (open loop).

    push   every policy but `pull`: an image is bound to a node when it arrives and waits in that node's
           queue, a job folder that this node's workers alone work through. This is what a proxy does, and
           what a platform does that makes one job for each node it chose. The platform itself never does it
           with folders.
    pull   one job folder for all; workers on every node claim the next piece when they are free. This is
           how the platform works through folders. `scheduler` is the same, but its workers are bound to no
           node: the engine puts them where it finds room.

In both, workers are placed by the real engine and are the platform's own; nothing differs but when an image
is bound to a node. Workers linger, so that an image that arrives later finds them warm.

A node that dies is noticed as the platform notices it: its heartbeat is older than NODE_TIMEOUT. What its
workers had claimed is given back, and what waited in its queue is bound anew, among all nodes that are alive
by then: itself too, if it is back already. Until then a push policy goes on sending work there. When its
heartbeat comes again it gets workers again.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Protocol

import jobfolder
from apps.benchmarks.replay.lanes import Lane, Worker
from apps.benchmarks.replay.photos import Photo
from apps.benchmarks.replay.queues import Piece, Queue, Work
from apps.cluster.engines import PlacementSpec
from loadbalancer import registry
from loadbalancer.policy import NodeView
from loadbalancer.pool import Pool
from loadbalancer.records import Outcome, Record
from loadbalancer.simulator.chunks import cut
from loadbalancer.workload import NodeSpec, Trace

PULL = "pull"
_TICK = 0.01  # seconds between looks at what came in
_CARE = 0.5  # between looks at who is alive
_LEAVE = 20.0  # that they may take to go


class ReplayError(Exception):
    """The trace could not be replayed; the message says why and what to do."""


@dataclass(frozen=True)
class Fault:
    """Something that is done to the cluster at a time of the trace."""

    time: float
    act: Callable[[], None]


class Placer(Protocol):
    """What a replay needs of an engine: any engine, or what asks the controller's (`lent.py`)."""

    @property
    def name(self) -> str: ...

    def place(self, spec: PlacementSpec) -> None: ...

    def cleanup(self, job_id: str) -> None: ...


@dataclass(frozen=True)
class Setup:
    """Where a replay runs.

    `alive`: names of the nodes that give signs of life; their heartbeats say so unless it is given.
    `announce`: called for each queue before its first placement, for engines that ask the database what a
    job is.
    `stuck`: why workers have not started, by worker, as far as somebody knows.
    """

    engine: Placer
    data_dir: Path
    timeout: float  # NODE_TIMEOUT
    alive: Callable[[], Collection[str]] | None = None
    announce: Callable[[Queue, Work], None] = lambda queue, work: None
    stuck: Callable[[], Mapping[str, str]] = dict
    start_seconds: float = 30.0  # that workers may take to show up
    limits: jobfolder.Limits = field(default_factory=jobfolder.Limits)
    patience: float = 600.0  # seconds after the last arrival until it is given up


def replay(
    setup: Setup,
    trace: Trace,
    nodes: Sequence[NodeSpec],
    policy: str,
    *,
    work: Work,
    photos: Sequence[Photo],
    seed: int = 0,
    chunk_seconds: float = 0.0,
    warm: bool = False,
    faults: Sequence[Fault] = (),
    beat: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run the trace to its end.

    Args:
        nodes: names of nodes that are alive; `speed`, `weight` and `slots` as policies shall see them.
        photos: of each task, by its number.
        chunk_seconds: work that is bound, or claimed, as one piece; 0: each image.
        warm: workers are there, with their weights loaded, before the trace begins. Otherwise the trace
            begins with their placement.
        beat: called at least once a second; what it raises ends the replay and its workers.

    Raises ReplayError; EngineError when the engine takes no placement; UnknownPolicy.
    """
    if not nodes:
        raise ReplayError("There is no node to replay on. Start one.")
    run = _Replay(setup, trace, nodes, policy, work, photos, seed, chunk_seconds, faults, beat)
    try:
        return run.run(warm)
    finally:
        run.clean_up()


class _Replay:
    def __init__(
        self,
        setup: Setup,
        trace: Trace,
        nodes: Sequence[NodeSpec],
        policy: str,
        work: Work,
        photos: Sequence[Photo],
        seed: int,
        chunk_seconds: float,
        faults: Sequence[Fault],
        beat: Callable[[], None],
    ) -> None:
        self._setup = setup
        self._trace = trace
        self._policy = policy
        # Left to the engine: one queue for all as well, and workers that are bound to no node.
        self._unbound = registry.get(policy).engine == setup.engine.name
        self._late = policy == PULL or self._unbound
        self._photos = photos
        self._beat = beat
        self._rng = Random(seed)  # noqa: S311 - repeatable
        token = f"benchmark-{secrets.token_hex(5)}"
        shared = Queue(setup.data_dir, token, work, setup.limits) if self._late else None
        self._lanes = {
            spec.name: Lane(
                spec, shared or Queue(setup.data_dir, f"{token}-{spec.name}", work, setup.limits), spec.speed
            )
            for spec in nodes
        }
        self._queues = [shared] if shared else [lane.queue for lane in self._lanes.values()]
        for queue in self._queues:
            setup.announce(queue, work)
        self._pool = Pool(registry.get(policy), [lane.view() for lane in self._lanes.values()])
        cut_up = cut(trace, chunk_seconds, sum(spec.slots for spec in nodes))
        self._pieces = [
            Piece(number, tuple(task.id for task in tasks)) for number, tasks in enumerate(cut_up, 1)
        ]
        self._by_name = {piece.name: piece for piece in self._pieces}
        self._piece_of = {task: piece for piece in self._pieces for task in piece.tasks}
        self._coming = deque(self._pieces)
        self._faults = deque(sorted(faults, key=lambda fault: fault.time))
        self._bound: dict[int, tuple[str, float]] = {}  # by piece: node, when
        self._open: dict[int, int] = {piece.number: len(piece.tasks) for piece in self._pieces}
        self._records: dict[int, Record] = {}
        self._repeated = 0
        self._begun: dict[int, int] = {}  # deaths over a task
        self._zero = 0.0
        self._turn = self._placed = 0
        self._decision_seconds = 0.0
        self._cared = 0.0

    # --- The clock ----------------------------------------------------------------------------------

    def run(self, warm: bool) -> Outcome:
        if warm:
            self._start_workers()
            self._wait_until_warm()
        self._zero = time.time()
        if not warm:
            self._start_workers()
        last = self._trace[-1].arrival if self._trace else 0.0
        while len(self._records) < len(self._trace):
            now = self._now()
            self._arrivals(now)
            while self._faults and self._faults[0].time <= now:
                self._faults.popleft().act()
            self._collect()
            if now - self._cared >= _CARE:
                self._cared = now
                self._beat()
                self._care()
            if now > last + self._setup.patience:
                break
            self._sleep()
        return self._outcome()

    def _now(self) -> float:
        return time.time() - self._zero

    def _sleep(self) -> None:
        """Until the next tick, or the next arrival if that is sooner."""
        soonest = [self._faults[0].time] if self._faults else []
        if self._coming:
            soonest.append(self._trace[self._coming[0].tasks[0]].arrival)
        left = min(soonest, default=float("inf")) - self._now()
        time.sleep(max(0.0, min(_TICK, left)))

    def _arrivals(self, now: float) -> None:
        if not len(self._pool):
            return  # nobody is left; it waits for a node that comes back
        due = []
        while self._coming and self._trace[self._coming[0].tasks[0]].arrival <= now:
            due.append(self._coming.popleft())
        if due:
            self._collect()  # what is done by now counts
            self._bind(due)

    # --- Binding ------------------------------------------------------------------------------------

    def _bind(self, pieces: Sequence[Piece]) -> None:
        """Push: each piece to the queue of the node that the policy chooses. Pull: to everybody's."""
        if self._late:
            self._queues[0].put(pieces, self._photos)
            return
        chosen: dict[str, list[Piece]] = {}
        now = self._now()
        for piece in pieces:
            lane = self._lanes[self._choose().name]
            lane.in_hand += 1
            self._pool.update(lane.view())
            self._bound[piece.number] = (lane.spec.name, now)
            chosen.setdefault(lane.spec.name, []).append(piece)
        for name, some in chosen.items():
            self._lanes[name].queue.put(some, self._photos)

    def _choose(self) -> NodeView:
        before = time.perf_counter()
        chosen = self._pool.choose(self._turn, self._rng)
        self._decision_seconds += time.perf_counter() - before
        self._turn += 1
        return chosen

    def _start_workers(self) -> None:
        """A worker in every slot. Under `pull` in the order in which the policy gives slots away."""
        if not self._late:
            for lane in self._lanes.values():
                self._fill(lane)
            return
        for _ in range(sum(lane.spec.slots for lane in self._lanes.values())):
            lane = self._lanes[self._choose().name]
            lane.in_hand += 1
            self._pool.update(lane.view())
            self._place(lane)

    def _fill(self, lane: Lane) -> None:
        while lane.up and len(lane.workers) < lane.spec.slots:
            self._place(lane)

    def _place(self, lane: Lane) -> None:
        self._placed += 1
        worker = Worker(f"{lane.queue.job}-1-{self._placed}", time.time())
        lane.workers.append(worker)
        node = "" if self._unbound else lane.spec.name
        self._setup.engine.place(PlacementSpec(lane.queue.job, worker.name, node))

    def _wait_until_warm(self) -> None:
        patience = self._setup.start_seconds
        end = time.monotonic() + patience
        while True:
            beats = self._all_beats()
            workers = [one for lane in self._lanes.values() for one in lane.workers]
            if all(one.name in beats and beats[one.name].state == "working" for one in workers):
                return
            self._refuse_broken(beats)
            if time.monotonic() > end:
                missing = [one.name for one in workers if one.name not in beats]
                known = self._setup.stuck()
                why = next((f" {known[name]}" for name in missing if name in known), "")
                raise ReplayError(
                    f"{len(missing)} of {len(workers)} workers did not start in {patience:g} s.{why}"
                )
            self._beat()
            time.sleep(_TICK)

    def _all_beats(self) -> dict[str, jobfolder.Heartbeat]:
        return {name: beat for queue in self._queues for name, beat in queue.beats().items()}

    def _refuse_broken(self, beats: dict[str, jobfolder.Heartbeat]) -> None:
        for beat in beats.values():
            if beat.reason.startswith("error"):
                raise ReplayError(f"A worker on {beat.node} can't run this: {beat.reason}")

    # --- What came in -------------------------------------------------------------------------------

    def _collect(self) -> None:
        for queue in self._queues:
            for task, document in queue.documents():
                if task in self._records:
                    self._repeated += 1
                else:
                    self._record(task, document)

    def _record(self, task: int, document: dict[str, object]) -> None:
        if document["status"] != "ok":
            raise ReplayError(f"An image failed: {document['error']}. Choose another app or smaller images.")
        piece, node = self._piece_of[task], str(document["node"])
        if node not in self._lanes:
            raise ReplayError(f"{node} works too, which is no node of this run. Close it, or take it in.")
        start = float(str(document["started"])) - self._zero
        end = float(str(document["finished"])) - self._zero
        if piece.number not in self._bound:
            self._bound[piece.number] = (node, start)  # pull: claimed just before
        _, placed = self._bound[piece.number]
        one = self._trace[task]
        self._records[task] = Record(
            task, one.job, node, one.arrival, placed, start, end, one.work, 1 + self._begun.get(task, 0)
        )
        lane = self._lanes[node]
        lane.busy += end - start
        self._open[piece.number] -= 1
        if not self._open[piece.number] and not self._late:
            lane.finished(placed, end)
            if node in self._pool:
                self._pool.update(lane.view())

    # --- Life and death -----------------------------------------------------------------------------

    def _care(self) -> None:
        """Give back what the dead had, and give workers to those that are back."""
        now = time.time()
        alive = (self._setup.alive or self._beating)()
        beats = self._all_beats()
        self._refuse_broken(beats)
        waited: list[Piece] = []
        for lane in self._lanes.values():
            up = lane.spec.name in alive
            if any(self._is_gone(worker, up, beats, now) for worker in lane.workers):
                waited += self._lose(lane, beats)
            if not lane.up and up:
                self._return(lane)
        if waited and len(self._pool):
            self._bind(waited)
        else:
            self._coming.extendleft(reversed(waited))

    def _beating(self) -> set[str]:
        now = time.time()
        beats = jobfolder.read_nodes(self._setup.data_dir)
        return {beat.node for beat in beats if abs(now - beat.time) <= self._setup.timeout}

    def _is_gone(
        self, worker: Worker, node_is_up: bool, beats: dict[str, jobfolder.Heartbeat], now: float
    ) -> bool:
        """It has ended, is silent, or never came, be it that its node is dead or that it took too long."""
        beat = beats.get(worker.name)
        if beat is None:
            return now - worker.placed > (self._setup.start_seconds if node_is_up else self._setup.timeout)
        return beat.state == "exited" or abs(now - beat.time) > self._setup.timeout

    def _lose(self, lane: Lane, beats: dict[str, jobfolder.Heartbeat]) -> list[Piece]:
        """Take the node out. Returns what waited in its queue or was under way: it must be bound anew."""
        names = [worker.name for worker in lane.workers]
        for name in names:
            beat = beats.get(name)
            if beat and beat.image and beat.image_started:
                self._waste(lane, int(beat.image.removeprefix("t")), beat.time - beat.image_started)
            jobfolder.request_leave(lane.queue.folder, name)
            jobfolder.release(lane.queue.folder, name)
        lane.lost()
        if self._late:
            return []
        self._pool.remove(lane.spec.name)
        self._collect()
        pieces = [self._by_name[name] for name in sorted(lane.queue.take_all())]
        left = [
            replace(piece, tasks=tuple(task for task in piece.tasks if task not in self._records))
            for piece in pieces
        ]
        return [piece for piece in left if piece.tasks]

    def _waste(self, lane: Lane, task: int, seconds: float) -> None:
        if task in self._records:
            return
        self._begun[task] = self._begun.get(task, 0) + 1
        lane.wasted += max(0.0, seconds)
        lane.busy += max(0.0, seconds)

    def _return(self, lane: Lane) -> None:
        lane.up = True
        if not self._late:
            self._pool.add(lane.view())
        self._fill(lane)

    # --- The end ------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        lanes = self._lanes.values()
        return Outcome(
            policy=self._policy,
            nodes=tuple(lane.spec for lane in lanes),
            records=tuple(self._records[task] for task in sorted(self._records)),
            busy={lane.spec.name: lane.busy for lane in lanes},
            wasted={lane.spec.name: lane.wasted for lane in lanes},
            unfinished=tuple(task.id for task in self._trace if task.id not in self._records),
            decisions=self._turn,
            decision_seconds=self._decision_seconds,
            repeated=self._repeated,
        )

    def clean_up(self) -> None:
        """Have the workers go, then remove the folders."""
        for queue in self._queues:
            queue.stop()
        end = time.monotonic() + _LEAVE
        waiting = {one.name for lane in self._lanes.values() for one in lane.workers if lane.up}
        while waiting and time.monotonic() < end:
            beats = self._all_beats()
            waiting -= {name for name, beat in beats.items() if beat.state == "exited"}
            if all(one not in beats for one in waiting):
                break  # they had not started; the folder's end is theirs
            time.sleep(_TICK)
        for queue in self._queues:
            self._setup.engine.cleanup(queue.job)
