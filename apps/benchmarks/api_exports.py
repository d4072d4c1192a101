"""REST: a run as files, and questions to the simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.benchmarks import access, exports, plots
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.serializers import AnswerSerializer
from apps.benchmarks.services import whatif
from apps.benchmarks.services.whatif import QuestionSerializer
from apps.benchmarks.whatif_words import said
from apps.processing.negotiation import AnyAccept
from marketplace.api_docs import errors

_ALONE = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


class _File(APIView):
    """A run as one file."""

    content_negotiation_class = AnyAccept
    kind, ending, inline = "text/plain; charset=utf-8", "", False
    make: Callable[[BenchmarkRun], Any]

    def answer(self, request: Request, run_id: str) -> HttpResponseBase:
        run = access.run_for(request.user, run_id)
        made = type(self).make(run)
        stream = not isinstance(made, str)
        response: HttpResponseBase = (StreamingHttpResponse if stream else HttpResponse)(made)
        return finished(response, self.kind, exports.file_name(run, self.ending), inline=self.inline)


def finished(response: HttpResponseBase, kind: str, name: str, *, inline: bool) -> HttpResponseBase:
    response["Content-Type"] = kind
    response["Content-Disposition"] = content_disposition_header(not inline, name) or "inline"
    response["Content-Security-Policy"] = _ALONE
    response["Cache-Control"] = "no-store"
    return response


class JsonView(_File):
    kind, ending = "application/json", ".json"
    make = staticmethod(exports.to_json)

    @extend_schema(
        operation_id="benchmarks_json",
        tags=["benchmarks"],
        responses={200: OpenApiTypes.OBJECT, **errors(404)},
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """Settings, the table, and each measurement by itself."""
        return self.answer(request, run_id)


class CsvView(_File):
    kind, ending = "text/csv; charset=utf-8", ".csv"
    make = staticmethod(exports.to_csv)

    @extend_schema(
        operation_id="benchmarks_csv",
        tags=["benchmarks"],
        responses={(200, "text/csv"): OpenApiTypes.STR, **errors(404)},
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """A line a policy."""
        return self.answer(request, run_id)


class ImagesView(_File):
    kind, ending = "text/csv; charset=utf-8", "-images.csv"
    make = staticmethod(exports.to_images)

    @extend_schema(
        operation_id="benchmarks_images",
        tags=["benchmarks"],
        responses={(200, "text/csv"): OpenApiTypes.STR, **errors(404)},
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """A line an image: which node did it, and when. Kept for traces of up to 2,000 images."""
        return self.answer(request, run_id)


class HtmlView(_File):
    kind, ending, inline = "text/html; charset=utf-8", ".html", True
    make = staticmethod(exports.to_html)

    @extend_schema(
        operation_id="benchmarks_html",
        tags=["benchmarks"],
        responses={(200, "text/html"): OpenApiTypes.STR, **errors(404)},
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """One page that stands alone: no scripts, no pictures from elsewhere."""
        return self.answer(request, run_id)


class PlotView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="benchmarks_plot",
        tags=["benchmarks"],
        responses={(200, "image/svg+xml"): OpenApiTypes.STR, **errors(404)},
    )
    def get(self, request: Request, run_id: str, name: str) -> HttpResponseBase:
        """A figure as SVG: makespan, saved, sojourn, waiting or nodes."""
        run = access.run_for(request.user, run_id)
        response = HttpResponse(exports.to_svg(run, name if name in plots.NAMES else ""))
        return finished(response, "image/svg+xml", exports.file_name(run, f"-{name}.svg"), inline=True)


class WhatIfView(APIView):
    @extend_schema(
        operation_id="benchmarks_what_if",
        tags=["benchmarks"],
        parameters=[QuestionSerializer],
        responses={200: AnswerSerializer, **errors(406, 422, 429)},
    )
    def get(self, request: Request) -> Response:
        """Ask the simulator: which policy is best for these nodes and this work, and how many are enough?
        At most 2,000 images and 100 nodes."""
        answer = whatif.ask(request.user, whatif.question(request.query_params.dict()))
        return Response(AnswerSerializer(answer, context={"words": said(answer)}).data)
