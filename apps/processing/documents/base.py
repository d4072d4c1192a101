"""Documents: one for each photo of a job, and the job's events, in a store of their own.

    document    a dict as in docs/architecture/02-job-folder.md, plus `output_image` (id in the drive or None)
    finding     one entry of `data.detections` or `data.classes` of a document: {label, confidence, rgb, ryb};
                rgb and ryb name the dominant colour in either colour wheel and may be missing
    event       something that happened to a job: a change of state, a worker lost. Never changed afterwards
    key         what makes an event the same one when it is recorded twice, unique within its job

A store keeps at most one document for a photo of a job: the first one. Both implementations are held to
tests/processing/test_documents_store.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

Doc = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    """What a document must match. Of the last four, one and the same finding must match all that are set."""

    status: str = ""  # ok | failed | "" for both
    label: str = ""
    min_confidence: float | None = None
    rgb: str = ""
    ryb: str = ""

    @property
    def of_findings(self) -> bool:
        return bool(self.label or self.rgb or self.ryb or self.min_confidence is not None)

    def with_label(self, label: str) -> Filters:
        return replace(self, label=label)


@dataclass(frozen=True)
class Counts:
    ok: int = 0
    failed: int = 0
    labels: dict[str, int] = field(default_factory=dict)  # findings by class, most frequent first
    rgb: dict[str, int] = field(default_factory=dict)
    ryb: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.ok + self.failed


@dataclass(frozen=True)
class Span:
    """When and where one photo was worked on. Seconds since 1970."""

    node: str
    worker: str
    started: float
    finished: float
    status: str
    name: str


@dataclass(frozen=True)
class Event:
    job: str
    kind: str  # state | worker_lost | worker_placed | retried | error
    key: str
    time: datetime
    actor: str  # "controller", or the e-mail of who asked
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Documents(ABC):
    """The store. Safe to use from several processes at once."""

    @abstractmethod
    def save_many(self, docs: Sequence[Doc]) -> list[Doc]:
        """Store what is not there yet; the ones newly stored by this call, in the order given."""

    @abstractmethod
    def known(self, job: str, images: Collection[str] | None = None) -> set[str]:
        """Ids of the photos of the job, or of those of `images`, that have a document."""

    @abstractmethod
    def page(
        self, job: str, filters: Filters | None = None, after: int | None = None, limit: int = 100
    ) -> list[Doc]:
        """At most `limit` documents by position, beginning after position `after`."""

    @abstractmethod
    def before(self, job: str, filters: Filters, position: int) -> Doc | None:
        """The last matching document before `position`."""

    @abstractmethod
    def matching(self, job: str, filters: Filters) -> int:
        """How many documents all pages together hold."""

    @abstractmethod
    def status_counts(self, job: str) -> tuple[int, int]:
        """(ok, failed)."""

    @abstractmethod
    def counts(self, job: str) -> Counts: ...

    @abstractmethod
    def by_worker(self, job: str) -> dict[tuple[str, str], int]:
        """{(node, worker): documents}."""

    @abstractmethod
    def spans(self, job: str) -> list[Span]:
        """Every document's span, by worker, then start."""

    @abstractmethod
    def delete(self, job: str, status: str = "", before_attempt: int | None = None) -> int:
        """Delete the job's documents, or those of one status, or of attempts before one. How many."""

    @abstractmethod
    def record(self, event: Event) -> bool:
        """Add an event; False if its key is there already."""

    @abstractmethod
    def events(self, job: str, limit: int = 500) -> list[Event]:
        """The newest `limit` events, oldest first."""

    @abstractmethod
    def forget(self, job: str) -> None:
        """Delete everything about a job, events too."""

    def export(self, job: str, filters: Filters | None = None, batch: int = 500) -> Iterator[Doc]:
        """Every matching document by position, read in batches: memory does not grow with the job."""
        after: int | None = None
        while docs := self.page(job, filters, after, batch):
            yield from docs
            after = docs[-1]["position"]
            if len(docs) < batch:
                return


_LENGTHS = {"label": 120, "rgb": 20, "ryb": 20}  # of what is stored to filter by


def findings(doc: Doc) -> list[dict[str, Any]]:
    """What can be filtered and counted of a document's data; entries without a label are passed over."""
    data = doc.get("data") or {}
    lists = [data.get(name) for name in ("detections", "classes")]
    entries = [entry for part in lists if isinstance(part, list) for entry in part]
    return [
        {
            "confidence": _confidence(entry.get("confidence")),
            **{name: str(entry.get(name) or "")[:length] for name, length in _LENGTHS.items()},
        }
        for entry in entries
        if isinstance(entry, dict) and entry.get("label")
    ]


def matches(entry: dict[str, Any], filters: Filters) -> bool:
    """Whether a finding is one of those that `filters` ask for."""
    least = filters.min_confidence
    if least is not None and _confidence(entry.get("confidence")) < least:
        return False
    wanted = {name: getattr(filters, name) for name in _LENGTHS}
    return all(
        not value or str(entry.get(name) or "")[: _LENGTHS[name]] == value for name, value in wanted.items()
    )


def _confidence(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 1.0


def ranked(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Most frequent first, then by name; without the empty name."""
    return {name: count for name, count in sorted(pairs, key=lambda pair: (-pair[1], pair[0])) if name}
