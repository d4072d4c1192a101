"""Documents in the relational database: columns for what lists filter and count by, JSON for the rest."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

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
from apps.processing.models import Document, Finding, JobEvent

_BATCH = 500


def _row(doc: Doc) -> Document:
    return Document(
        job_id=doc["job"],
        image_id=doc["image"],
        position=doc["position"],
        attempt=doc.get("attempt") or 1,
        status=doc["status"],
        node=doc.get("node") or "",
        worker=doc.get("worker") or "",
        started=doc.get("started") or 0.0,
        finished=doc.get("finished") or 0.0,
        name=doc.get("name") or "",
        data=doc,
    )


class SqlDocuments(Documents):
    def save_many(self, docs: Sequence[Doc]) -> list[Doc]:
        # Ids are made here, so that a look at which of them are there tells which rows are ours, even if
        # another process saves the same photos at the same moment.
        rows = [_row(doc) for doc in docs]
        if not rows:
            return []
        with transaction.atomic():
            Document.objects.bulk_create(rows, batch_size=_BATCH, ignore_conflicts=True)
            ours: set[str] = set()
            for start in range(0, len(rows), _BATCH):
                ids = [row.id for row in rows[start : start + _BATCH]]
                ours.update(Document.objects.filter(id__in=ids).values_list("id", flat=True))
            saved = [row for row in rows if row.id in ours]
            Finding.objects.bulk_create(
                [
                    Finding(document=row, job_id=row.job_id, **finding)
                    for row in saved
                    for finding in findings(row.data)
                ],
                batch_size=_BATCH,
            )
        return [row.data for row in saved]

    def known(self, job: str, images: Collection[str] | None = None) -> set[str]:
        rows = Document.objects.filter(job_id=job)
        if images is not None:
            rows = rows.filter(image_id__in=images)
        return set(rows.values_list("image_id", flat=True))

    def page(
        self, job: str, filters: Filters | None = None, after: int | None = None, limit: int = 100
    ) -> list[Doc]:
        rows = _matching(job, filters or Filters())
        if after is not None:
            rows = rows.filter(position__gt=after)
        return list(rows.order_by("position").values_list("data", flat=True)[:limit])

    def before(self, job: str, filters: Filters, position: int) -> Doc | None:
        rows = _matching(job, filters).filter(position__lt=position)
        return rows.order_by("-position").values_list("data", flat=True).first()

    def matching(self, job: str, filters: Filters) -> int:
        return _matching(job, filters).count()

    def status_counts(self, job: str) -> tuple[int, int]:
        rows = Document.objects.filter(job_id=job).values_list("status").annotate(n=Count("id"))
        by_status = dict(rows.order_by())
        return by_status.get("ok", 0), by_status.get("failed", 0)

    def counts(self, job: str) -> Counts:
        ok, failed = self.status_counts(job)
        entries = Finding.objects.filter(job_id=job)

        def by(column: str) -> dict[str, int]:
            return ranked(list(entries.values_list(column).annotate(n=Count("id")).order_by()))

        return Counts(ok=ok, failed=failed, labels=by("label"), rgb=by("rgb"), ryb=by("ryb"))

    def by_worker(self, job: str) -> dict[tuple[str, str], int]:
        rows = Document.objects.filter(job_id=job).values_list("node", "worker").annotate(n=Count("id"))
        return {(node, worker): count for node, worker, count in rows.order_by()}

    def spans(self, job: str) -> list[Span]:
        columns = ("node", "worker", "started", "finished", "status", "name")
        rows = Document.objects.filter(job_id=job).order_by("worker", "started", "position")
        return [Span(*row) for row in rows.values_list(*columns)]

    def delete(self, job: str, status: str = "", before_attempt: int | None = None) -> int:
        rows = Document.objects.filter(job_id=job)
        if status:
            rows = rows.filter(status=status)
        if before_attempt is not None:
            rows = rows.filter(attempt__lt=before_attempt)
        return rows.delete()[1].get("processing.Document", 0)

    def record(self, event: Event) -> bool:
        _, created = JobEvent.objects.get_or_create(
            job_id=event.job,
            key=event.key,
            defaults={
                "kind": event.kind,
                "time": event.time,
                "actor": event.actor,
                "reason": event.reason,
                "data": event.data,
            },
        )
        return created

    def events(self, job: str, limit: int = 500) -> list[Event]:
        rows = JobEvent.objects.filter(job_id=job).order_by("-time", "-id")[:limit]
        return [
            Event(row.job_id, row.kind, row.key, row.time, row.actor, row.reason, row.data)
            for row in reversed(rows)
        ]

    def forget(self, job: str) -> None:
        self.delete(job)
        JobEvent.objects.filter(job_id=job).delete()


def _matching(job: str, filters: Filters) -> QuerySet[Document]:
    rows = Document.objects.filter(job_id=job)
    if filters.status:
        rows = rows.filter(status=filters.status)
    if not filters.of_findings:
        return rows
    entries = Finding.objects.filter(document=OuterRef("pk"))
    for column in ("label", "rgb", "ryb"):
        if value := getattr(filters, column):
            entries = entries.filter(**{column: value})
    if filters.min_confidence is not None:
        entries = entries.filter(confidence__gte=filters.min_confidence)
    return rows.filter(Exists(entries))
