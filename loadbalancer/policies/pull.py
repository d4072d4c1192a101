"""Late binding: work is not handed out but fetched."""

from __future__ import annotations

from typing import ClassVar

from loadbalancer.policy import NodeView
from loadbalancer.ranking import Ranked, known


class Pull(Ranked):
    """The node whose slots are least taken, of equals the fastest; those that are equal in both take turns.

    Work that can wait is bound to a node only when a worker there is free to begin: the workers of a job
    claim small chunks from its folder, so a node twice as fast fetches twice as many, and one that hangs
    keeps one chunk from the others. All that is left to choose is where the workers go: onto as many free
    nodes as the job may have, the fastest first. Cost of a node: `(active / slots, -speed)`.
    Source: late binding in K. Ousterhout et al., "Sparrow: Distributed, Low Latency Scheduling", SOSP 2013;
    work queues of Kubernetes Jobs; Dask keeps root tasks until a thread is free.
    When: folders, whatever the nodes and the photos. Previews can't wait to be fetched: for them it is the
    choice of the emptiest node alone.
    """

    name: ClassVar[str] = "pull"
    summary: ClassVar[str] = "Workers on the emptiest nodes fetch work when they are free; right for folders."

    def cost(self, node: NodeView) -> tuple[float, float]:
        return node.active / max(1, node.slots), -known(node.speed)
