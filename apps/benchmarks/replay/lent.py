"""Workers of a replay where only the controller may start them: a row of `lending` asks for each.

A node has as many slots as it has room for beside what else runs there, which nobody but its cluster knows:
`rooms` finds it out by trying.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jobfolder
from apps.benchmarks.replay.dispatch import ReplayError, Setup
from apps.benchmarks.replay.photos import OWNER
from apps.benchmarks.replay.queues import Queue, Work
from apps.cluster.engines import PlacementSpec
from apps.cluster.models import Node
from apps.cluster.services import lending
from jobfolder.layout import drive_dir
from loadbalancer.workload import NodeSpec

RENEW = 3.0
START_SECONDS = 90.0
SURE = 8.0  # seconds without a change after which a worker that is stuck is believed to find no room
_PAUSE = 0.1


@dataclass
class Lender:
    """In the place of an engine. `beat` is to be called every few seconds: slots that nobody renews end."""

    data_dir: Path
    name: str = "kubernetes"
    _works: dict[str, Work] = field(default_factory=dict)  # by job, while it has slots
    _renewed: float = 0.0

    def announce(self, queue: Queue, work: Work) -> None:
        """The photos' folder is there before a pod mounts it: a kubelet would make it its own."""
        drive_dir(self.data_dir, OWNER).mkdir(parents=True, exist_ok=True)
        self._works[queue.job] = work

    def place(self, spec: PlacementSpec) -> None:
        work = self._works[spec.job_id]
        lending.ask(spec, owner=OWNER, processor=work.app, weights=work.weights or "")

    def cleanup(self, job_id: str) -> None:
        """The controller removes what it made, and the folder once more if a worker still wrote there."""
        lending.give_back(job_id)
        jobfolder.delete(jobfolder.job_dir(self.data_dir, job_id))
        self._works.pop(job_id, None)

    def beat(self) -> None:
        if time.monotonic() - self._renewed >= RENEW and self._works:
            self._renewed = time.monotonic()
            lending.renew(self._works)

    def stuck(self) -> dict[str, str]:
        return lending.reasons(self._works)


def setup(
    data_dir: Path, timeout: float, *, limits: jobfolder.Limits, patience: float
) -> tuple[Setup, Lender]:
    lender = Lender(data_dir)
    made = Setup(
        lender,
        data_dir,
        timeout,
        alive=_ready,
        announce=lender.announce,
        stuck=lender.stuck,
        start_seconds=START_SECONDS,
        limits=limits,
        patience=patience,
    )
    return made, lender


def _ready() -> set[str]:
    """As the controller has seen the cluster last: such nodes write no heartbeats."""
    return set(Node.objects.filter(state=Node.State.READY).values_list("name", flat=True))


def rooms(
    setup: Setup, nodes: Sequence[NodeSpec], work: Work, beat: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """How many workers each node has room for, at most its slots. Raises ReplayError for one that has none,
    and what `beat` raises."""
    queue = Queue(setup.data_dir, f"benchmark-{secrets.token_hex(5)}-room", work, setup.limits)
    try:
        setup.announce(queue, work)
        asked: dict[str, str] = {}
        for node in nodes:
            for number in range(node.slots):
                worker = f"{queue.job}-{node.name}-{number + 1}"
                asked[worker] = node.name
                setup.engine.place(PlacementSpec(queue.job, worker, node.name))
        there = _those_that_start(setup, queue, asked, beat)
        found = {node.name: sum(asked[worker] == node.name for worker in there) for node in nodes}
        for node, room in found.items():
            if not room:
                why = next((why for worker, why in setup.stuck().items() if asked.get(worker) == node), "")
                raise ReplayError(f"{node} has no room for a worker. {why}".strip())
        return found
    finally:
        queue.stop()
        _await_end(queue)
        setup.engine.cleanup(queue.job)


def _those_that_start(
    setup: Setup, queue: Queue, asked: Mapping[str, str], beat: Callable[[], None]
) -> set[str]:
    """Until all are there, or nothing more is to be expected of the others: something has started on every
    node, so images are there and nodes work, and since then nothing has changed."""
    nodes = set(asked.values())
    there: set[str] = set()
    changed = began = time.monotonic()
    while len(there) < len(asked) and time.monotonic() < began + setup.start_seconds:
        beat()
        now = {name for name, one in queue.beats().items() if one.state == "working"} & asked.keys()
        if now != there:
            there, changed = now, time.monotonic()
        is_settled = nodes == {asked[worker] for worker in there} and time.monotonic() - changed > SURE
        if is_settled and asked.keys() - there <= setup.stuck().keys():
            break
        time.sleep(_PAUSE)
    return there


def _await_end(queue: Queue, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(one.state != "exited" for one in queue.beats().values()):
        time.sleep(_PAUSE)
