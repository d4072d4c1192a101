"""REST of benchmarks: everyone who is logged in reads, staff start, cancel and delete."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.benchmarks import access, queries, results
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.serializers import RunDetailSerializer, RunRequestSerializer, RunSerializer
from apps.benchmarks.services import runs
from marketplace.api import Pagination
from marketplace.api_docs import errors, listing
from marketplace.parsers import JSONParser

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 80 printable characters. The same key with the same body starts one run.",
)


class BenchmarksView(APIView):
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="benchmarks_list",
        tags=["benchmarks"],
        parameters=[
            OpenApiParameter("q", str, description="Looks in titles and ids."),
            OpenApiParameter("status", str, enum=list(BenchmarkRun.Status.values)),
            OpenApiParameter("kind", str, enum=list(BenchmarkRun.Kind.values)),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses={200: listing("BenchmarkList", RunSerializer(many=True)), **errors(404, 406)},
    )
    def get(self, request: Request) -> Response:
        """All runs, the newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("q", "status", "kind")}
        pages = Pagination()
        page = pages.paginate_queryset(queries.runs(**asked), request, self)
        return pages.get_paginated_response(RunSerializer(page, many=True).data)

    @extend_schema(
        operation_id="benchmarks_start",
        tags=["benchmarks"],
        request=RunRequestSerializer,
        parameters=[KEY],
        responses={201: RunDetailSerializer, **errors(403, 406, 409, 415, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        """Staff: queue a comparison. Runs are done one after the other."""
        access.require_staff(request.user)
        asked = RunRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        run = runs.start(
            request.user,
            config=values.get("config", {}),
            kind=values["kind"],
            title=values.get("title", ""),
            key=request.headers.get("Idempotency-Key"),
        )
        return Response(_shown(run), status=201)


class BenchmarkView(APIView):
    @extend_schema(
        operation_id="benchmarks_read",
        tags=["benchmarks"],
        responses={200: RunDetailSerializer, **errors(404, 406)},
    )
    def get(self, request: Request, run_id: str) -> Response:
        """One run, with the table of what came out so far."""
        return Response(_shown(access.run_for(request.user, run_id)))

    @extend_schema(
        operation_id="benchmarks_delete",
        tags=["benchmarks"],
        responses={204: None, **errors(403, 404, 406, 409)},
    )
    def delete(self, request: Request, run_id: str) -> Response:
        """Staff: delete a run that has ended."""
        runs.remove(request.user, run_id)
        return Response(status=204)


class CancelView(APIView):
    @extend_schema(
        operation_id="benchmarks_cancel",
        tags=["benchmarks"],
        request=None,
        responses={200: RunDetailSerializer, **errors(403, 404, 406, 409)},
    )
    def post(self, request: Request, run_id: str) -> Response:
        """Staff: stop a run. What is measured is kept."""
        return Response(_shown(runs.cancel(request.user, run_id)))


def _shown(run: BenchmarkRun) -> Any:
    return RunDetailSerializer(run, context={"table": results.table(run, queries.cells_of(run))}).data
