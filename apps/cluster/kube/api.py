"""What the engine asks of an API server, and how that can fail. Two implementations: `client.py`, and the
double in tests/cluster_app/fake_cluster.py. Objects are dicts, as the server sends them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from apps.cluster.engines.base import EngineError

Thing = dict[str, Any]


class NoCluster(EngineError):
    """Nothing says where a cluster is, or the client library is missing."""


class Unreachable(EngineError):
    """No answer, or none in time. What was asked may have been done all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "the cluster does not answer.")


class Refused(EngineError):
    """The server understood and does not do it: no right, no namespace, an object that it does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, "the cluster refuses the work; whoever runs it finds the reason in the log."
        )


class NotThere(Refused):
    """404."""


class AlreadyThere(Refused):
    """409: the name is taken, or the object is another one by now."""


class Expired(EngineError):
    """410: the watch can't go on from here; list again."""


@dataclass(frozen=True)
class Listing:
    items: list[Thing]
    version: str  # where a watch goes on from


class Api(Protocol):
    """Objects of one namespace, and the nodes. Every method raises EngineError's kinds above.

    `kind` is jobs, pods, configmaps, deployments, events or nodes. Deleting an object deletes what belongs to
    it, a little later. `uid`: delete this very object, not another that has its name by now.
    """

    namespace: str

    def list(self, kind: str, labels: str = "", fields: str = "") -> Listing: ...

    def get(self, kind: str, name: str) -> Thing: ...

    def create(self, kind: str, body: Thing) -> Thing: ...

    def delete(self, kind: str, name: str, *, uid: str = "", grace: int | None = None) -> None: ...

    def watch(self, kind: str, version: str, seconds: int, labels: str = "") -> Iterator[Thing]:
        """What changes from `version` on, for at most so many seconds: {"type", "object"}."""
        ...

    def scale(self, deployment: str, replicas: int) -> None:
        """So many pods from now on."""
        ...

    def may(self, verb: str, kind: str) -> bool:
        """Whether this process has the right."""
        ...

    def version(self) -> str: ...
