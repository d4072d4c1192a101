"""The choice is Kubernetes'."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked


class Scheduler(Ranked):
    """Whatever kube-scheduler chooses: a worker's pod is bound to no node, and the placement learns where it
    went. Only on the Kubernetes engine, and only for jobs' workers.

    Where nobody else chooses (a preview, the simulator) it stands for the default scoring of kube-scheduler,
    as far as our numbers tell: the node with the largest share free, equals by chance. Cost of a node:
    `active / slots`.
    Source: Kubernetes, kube-scheduler's NodeResourcesFit with LeastAllocated, which is its default.
    When: the cluster runs other things beside ours, of which only its scheduler knows.
    """

    name: ClassVar[str] = "scheduler"
    summary: ClassVar[str] = "Left to Kubernetes: kube-scheduler puts each worker where it finds room."
    engine: ClassVar[str] = "kubernetes"

    def cost(self, node: NodeView) -> float:
        return node.active / max(1, node.slots)

    def pick(self, least: Any, count: int, turn: int, rng: Random) -> int:
        return rng.randrange(count)
