"""REST: the documents of a job, a page at a time or as a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.processing import exports, exports_boxes, queries
from apps.processing.access import job_for
from apps.processing.api_docs import FILTERS, errors
from apps.processing.documents import store
from apps.processing.documents.base import Counts, Filters
from apps.processing.models import Job
from apps.processing.negotiation import AnyAccept
from apps.processing.queries import known_classes_of
from apps.processing.serializers import EventsSerializer, ResultsSerializer
from marketplace.api import invalid

_PAGE, _LARGEST_PAGE = 100, 500
_NAMES = {"label": 120, "rgb": 20, "ryb": 20}  # longest names that are stored


def filters_of(query: Any) -> Filters:
    """From the query of a URL; 422 `invalid` names what can't be used."""
    fields: dict[str, list[str]] = {}
    status = query.get("status", "")
    if status not in {"", "ok", "failed"}:
        fields["status"] = ["must be ok or failed"]
    confidence = _number(query.get("min_confidence", ""), fields)
    texts = {name: query.get(name, "").replace("\x00", "")[:limit] for name, limit in _NAMES.items()}
    if fields:
        raise invalid("invalid", "The results can't be filtered like that.", fields)
    return Filters(status=status, min_confidence=confidence, **texts)


def _number(text: str, fields: dict[str, list[str]]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 <= value <= 1:
        return value
    fields["min_confidence"] = ["must be a number from 0 to 1"]
    return None


def _whole(query: Any, name: str, default: int | None, low: int, high: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 12 and low <= int(text) <= high:
        return int(text)
    raise invalid("invalid", "The page can't be read.", {name: [f"must be from {low} to {high}"]})


def _switch(query: Any, name: str) -> bool:
    text = query.get(name, "")
    if text in {"", "0", "1"}:
        return bool(text == "1")
    raise invalid("invalid", "The file can't be made like that.", {name: ["must be 0 or 1"]})


class ResultsView(APIView):
    @extend_schema(
        operation_id="jobs_results",
        tags=["results"],
        parameters=[
            *FILTERS,
            OpenApiParameter("after", int, description="Position after which the page begins."),
            OpenApiParameter("limit", int, description=f"1 to {_LARGEST_PAGE}; default {_PAGE}."),
        ],
        responses={200: ResultsSerializer, **errors(404, 422)},
    )
    def get(self, request: Request, job_id: str) -> Response:
        """What became of each photo, by position. `next` leads to the rest."""
        job = job_for(request.user, job_id)
        query = request.query_params
        after = _whole(query, "after", None, 0, 2**31 - 1)
        limit = _whole(query, "limit", _PAGE, 1, _LARGEST_PAGE) or _PAGE
        filters = filters_of(query)
        docs = store().page(job.id, filters, after, limit + 1)
        more, docs = len(docs) > limit, docs[:limit]
        counts = queries.result_counts(job)
        return Response(
            {
                "items": docs,
                "next": _next(request, docs[-1]["position"]) if more else None,
                "count": counts.total if filters == Filters() else store().matching(job.id, filters),
                "counts": _counts(counts),
            }
        )


def _next(request: Request, after: int) -> str:
    query = request.query_params.copy()
    query["after"] = str(after)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "status": {"ok": counts.ok, "failed": counts.failed},
        "labels": counts.labels,
        "rgb": counts.rgb,
        "ryb": counts.ryb,
    }


class _Export(APIView):
    """A file made while it is sent."""

    content_negotiation_class = AnyAccept
    content_type = ""
    suffix = ""

    def parts(self, job: Job, filters: Filters, request: Request) -> Iterator[str | bytes]:
        raise NotImplementedError

    def respond(self, request: Request, job_id: str) -> StreamingHttpResponse:
        job = job_for(request.user, job_id)
        parts = self.parts(job, filters_of(request.query_params), request)
        encoded = (part.encode() if isinstance(part, str) else part for part in parts)
        response = StreamingHttpResponse(encoded, content_type=self.content_type)
        name = f"{job.folder_name} {job.app_title}{self.suffix}"
        response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
        return response


class CsvView(_Export):
    content_type = "text/csv; charset=utf-8"
    suffix = ".csv"

    def parts(self, job: Job, filters: Filters, request: Request) -> Iterator[str | bytes]:
        return exports.to_csv(store().export(job.id, filters))

    @extend_schema(
        operation_id="jobs_results_csv",
        tags=["results"],
        parameters=FILTERS,
        responses={(200, "text/csv"): OpenApiTypes.STR, **errors(404, 422)},
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """A line a photo, for spreadsheets."""
        return self.respond(request, job_id)


class JsonLinesView(_Export):
    content_type = "application/x-ndjson"
    suffix = ".jsonl"

    def parts(self, job: Job, filters: Filters, request: Request) -> Iterator[str | bytes]:
        return exports.to_jsonl(store().export(job.id, filters))

    @extend_schema(
        operation_id="jobs_results_jsonl",
        tags=["results"],
        parameters=FILTERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR, **errors(404, 422)},
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """A document a line, whole."""
        return self.respond(request, job_id)


class CocoView(_Export):
    content_type = "application/json"
    suffix = " coco.json"

    def parts(self, job: Job, filters: Filters, request: Request) -> Iterator[str | bytes]:
        docs = store().export(job.id, filters)
        return exports_boxes.to_coco(job, docs, filters, known_classes_of(job))

    @extend_schema(
        operation_id="jobs_results_coco",
        tags=["results"],
        parameters=FILTERS,
        responses={(200, "application/json"): OpenApiTypes.OBJECT, **errors(404, 422)},
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """Detections in the COCO format, for training tools. Filters hold for the boxes, too."""
        return self.respond(request, job_id)


class YoloView(_Export):
    content_type = "application/zip"
    suffix = " yolo.zip"

    def parts(self, job: Job, filters: Filters, request: Request) -> Iterator[str | bytes]:
        with_confidence = _switch(request.query_params, "confidence")
        docs = store().export(job.id, filters)
        return exports_boxes.to_yolo(job, docs, filters, known_classes_of(job), with_confidence)

    @extend_schema(
        operation_id="jobs_results_yolo",
        tags=["results"],
        parameters=[
            *FILTERS,
            OpenApiParameter("confidence", str, enum=["0", "1"], description="1: as a sixth number a line."),
        ],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **errors(404, 422)},
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """Detections in the YOLO format: a zip with a text file a photo. Filters hold for the boxes, too."""
        return self.respond(request, job_id)


class LogView(APIView):
    @extend_schema(operation_id="jobs_log", tags=["jobs"], responses={200: EventsSerializer, **errors(404)})
    def get(self, request: Request, job_id: str) -> Response:
        """What happened to the job: states, workers placed and lost, retries. The oldest first."""
        job = job_for(request.user, job_id)
        events = [
            {"time": one.time, "kind": one.kind, "actor": one.actor, "reason": one.reason, "data": one.data}
            for one in queries.events_of(job)
        ]
        return Response(EventsSerializer({"items": events, "next": None, "count": len(events)}).data)
