"""Documents in MongoDB. Each is kept whole under `doc`; the keys beside it are what queries use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC
from typing import Any

from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from apps.processing.documents.base import (
    Counts,
    Doc,
    Documents,
    Event,
    Filters,
    Span,
    findings,
    ranked,
)

_DUPLICATE = 11000
_SPAN = ("node", "worker", "started", "finished", "status", "name")


def connect(url: str, name: str) -> Database[dict[str, Any]]:
    """Writes are acknowledged by a majority: a saved document survives the loss of one server."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        url, w="majority", tz_aware=True, serverSelectionTimeoutMS=5000, appname="pixelyard"
    )
    return client[name]


class MongoDocuments(Documents):
    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._docs = database["documents"]
        self._events = database["events"]
        self._docs.create_index([("job", ASCENDING), ("image", ASCENDING)], unique=True)
        self._docs.create_index([("job", ASCENDING), ("position", ASCENDING)])
        self._docs.create_index([("job", ASCENDING), ("findings.label", ASCENDING)])
        self._events.create_index([("job", ASCENDING), ("key", ASCENDING)], unique=True)
        self._events.create_index([("job", ASCENDING), ("time", ASCENDING)])

    def save_many(self, docs: Sequence[Doc]) -> list[Doc]:
        if not docs:
            return []
        try:
            self._docs.insert_many([_row(doc) for doc in docs], ordered=False)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(failure["code"] != _DUPLICATE for failure in failures):
                raise
            taken = {failure["index"] for failure in failures}
            return [doc for index, doc in enumerate(docs) if index not in taken]
        return list(docs)

    def known(self, job: str, images: Collection[str] | None = None) -> set[str]:
        query: dict[str, Any] = {"job": job}
        if images is not None:
            query["image"] = {"$in": list(images)}
        return {row["image"] for row in self._docs.find(query, {"image": 1})}

    def page(
        self, job: str, filters: Filters | None = None, after: int | None = None, limit: int = 100
    ) -> list[Doc]:
        query = _query(job, filters or Filters())
        if after is not None:
            query["position"] = {"$gt": after}
        rows = self._docs.find(query, {"doc": 1}).sort("position", ASCENDING).limit(limit)
        return [row["doc"] for row in rows]

    def before(self, job: str, filters: Filters, position: int) -> Doc | None:
        query = _query(job, filters) | {"position": {"$lt": position}}
        row = self._docs.find_one(query, {"doc": 1}, sort=[("position", DESCENDING)])
        return row["doc"] if row else None

    def matching(self, job: str, filters: Filters) -> int:
        return self._docs.count_documents(_query(job, filters))

    def status_counts(self, job: str) -> tuple[int, int]:
        by_status = self._count_by([{"$match": {"job": job}}], "$status")
        return by_status.get("ok", 0), by_status.get("failed", 0)

    def counts(self, job: str) -> Counts:
        ok, failed = self.status_counts(job)
        entries = [{"$match": {"job": job}}, {"$unwind": "$findings"}]

        def by(name: str) -> dict[str, int]:
            return ranked(list(self._count_by(entries, f"$findings.{name}").items()))

        return Counts(ok=ok, failed=failed, labels=by("label"), rgb=by("rgb"), ryb=by("ryb"))

    def by_worker(self, job: str) -> dict[tuple[str, str], int]:
        rows = self._docs.aggregate(
            [
                {"$match": {"job": job}},
                {"$group": {"_id": {"node": "$node", "worker": "$worker"}, "n": {"$sum": 1}}},
            ]
        )
        return {(row["_id"]["node"], row["_id"]["worker"]): row["n"] for row in rows}

    def spans(self, job: str) -> list[Span]:
        rows = self._docs.find({"job": job}, dict.fromkeys(_SPAN, 1))
        order = [("worker", ASCENDING), ("started", ASCENDING), ("position", ASCENDING)]
        return [Span(*(row[name] for name in _SPAN)) for row in rows.sort(order)]

    def delete(self, job: str, status: str = "", before_attempt: int | None = None) -> int:
        query: dict[str, Any] = {"job": job}
        if status:
            query["status"] = status
        if before_attempt is not None:
            query["attempt"] = {"$lt": before_attempt}
        return self._docs.delete_many(query).deleted_count

    def record(self, event: Event) -> bool:
        try:
            self._events.insert_one({**vars(event)})
        except DuplicateKeyError:
            return False
        return True

    def events(self, job: str, limit: int = 500) -> list[Event]:
        rows = list(
            self._events.find({"job": job}, {"_id": 0})
            .sort([("time", DESCENDING), ("_id", DESCENDING)])
            .limit(limit)
        )
        for row in rows:
            if row["time"].tzinfo is None:
                row["time"] = row["time"].replace(tzinfo=UTC)
        return [Event(**row) for row in reversed(rows)]

    def forget(self, job: str) -> None:
        self.delete(job)
        self._events.delete_many({"job": job})

    def _count_by(self, stages: list[dict[str, Any]], expression: str) -> dict[str, int]:
        group = {"$group": {"_id": expression, "n": {"$sum": 1}}}
        return {row["_id"]: row["n"] for row in self._docs.aggregate([*stages, group])}


def _row(doc: Doc) -> dict[str, Any]:
    return {
        "job": doc["job"],
        "image": doc["image"],
        "position": doc["position"],
        "attempt": doc.get("attempt") or 1,
        "status": doc["status"],
        "node": doc.get("node") or "",
        "worker": doc.get("worker") or "",
        "started": doc.get("started") or 0.0,
        "finished": doc.get("finished") or 0.0,
        "name": doc.get("name") or "",
        "findings": findings(doc),
        "doc": doc,
    }


def _query(job: str, filters: Filters) -> dict[str, Any]:
    query: dict[str, Any] = {"job": job}
    if filters.status:
        query["status"] = filters.status
    if not filters.of_findings:
        return query
    entry: dict[str, Any] = {
        name: getattr(filters, name) for name in ("label", "rgb", "ryb") if getattr(filters, name)
    }
    if filters.min_confidence is not None:
        entry["confidence"] = {"$gte": filters.min_confidence}
    query["findings"] = {"$elemMatch": entry}
    return query
