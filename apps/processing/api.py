"""REST: apps, previews, quotes, jobs. Results and events are in api_results.py and api_events.py."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.processing import catalog, queries
from apps.processing.api_docs import KEY, STATUS, errors
from apps.processing.models import Job
from apps.processing.negotiation import AnyAccept, preferred
from apps.processing.serializers import (
    AppSerializer,
    JobRequestSerializer,
    JobSerializer,
    PreviewJsonSerializer,
    PreviewRequestSerializer,
    QuoteSerializer,
)
from apps.processing.services import jobs, previews
from apps.processing.services.estimates import Board
from marketplace.api import ApiError, Pagination, invalid
from marketplace.api_docs import listing
from marketplace.parsers import JSONParser


class AppsView(APIView):
    @extend_schema(
        operation_id="apps_list",
        tags=["apps"],
        responses={200: listing("AppList", AppSerializer(many=True)), **errors()},
    )
    def get(self, request: Request) -> Response:
        """The apps you can run, each with the schema of its options."""
        apps = catalog.apps_for(request.user)
        return Response({"items": AppSerializer(apps, many=True).data, "next": None, "count": len(apps)})


class AppView(APIView):
    @extend_schema(operation_id="apps_get", tags=["apps"], responses={200: AppSerializer, **errors(404, 409)})
    def get(self, request: Request, app_id: str) -> Response:
        """One app."""
        return Response(AppSerializer(catalog.app_for(request.user, app_id)).data)


class PreviewView(APIView):
    parser_classes = [MultiPartParser, JSONParser]
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="apps_preview",
        tags=["apps"],
        request={"multipart/form-data": PreviewRequestSerializer},
        parameters=[
            OpenApiParameter(
                "Accept",
                str,
                OpenApiParameter.HEADER,
                description="image/*, text/plain, text/html or application/json",
            ),
            KEY,
        ],
        responses={
            (200, "image/*"): OpenApiTypes.BINARY,
            (200, "text/plain"): OpenApiTypes.STR,
            (200, "text/html"): OpenApiTypes.STR,
            (200, "application/json"): PreviewJsonSerializer,
            **errors(403, 404, 406, 409, 413, 415, 422, 429, 502, 503, 504, 507),
        },
    )
    def post(self, request: Request, app_id: str) -> HttpResponse:
        """The app on one photo, at once. What comes back is what Accept asks for: the image, the text, the
        HTML, or all of it as JSON with the image in base64. Nothing is stored. An app with a price is charged
        for one photo, unless the preview fails."""
        app = catalog.app_for(request.user, app_id)
        body = PreviewRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        result = previews.preview(
            request.user,
            app,
            upload=body.validated_data.get("file"),
            image=body.validated_data.get("image"),
            params=params_of(body.validated_data.get("params")),
            accept=_answer(app, request.headers.get("Accept", "")),
            price=body.validated_data.get("price"),
            key=request.headers.get("Idempotency-Key"),
        )
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **result.headers}
        if result.content_type.startswith("text/html"):
            headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
        return HttpResponse(result.body, content_type=result.content_type, headers=headers)


class QuotesView(APIView):
    @extend_schema(
        operation_id="quotes_create",
        tags=["jobs"],
        request=JobRequestSerializer,
        responses={200: QuoteSerializer, **errors(403, 404, 409, 413, 415, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        """What a job would cost and take. Checks everything that `POST jobs` checks; starts nothing."""
        quote = jobs.quote(request.user, _job_request(request))
        return Response(QuoteSerializer(quote).data)


class JobsView(APIView):
    @extend_schema(
        operation_id="jobs_list",
        tags=["jobs"],
        parameters=[
            OpenApiParameter("q", str, description="Looks in app, folder name and id."),
            STATUS,
            OpenApiParameter("order", str, enum=list(queries.ORDERS)),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses={200: listing("JobList", JobSerializer(many=True)), **errors(404)},
    )
    def get(self, request: Request) -> Response:
        """Your jobs, the newest first."""
        query = request.query_params
        rows = queries.jobs_of(
            request.user,
            q=query.get("q", ""),
            status=query.get("status", ""),
            order=query.get("order", ""),
        )
        pagination = Pagination()
        page = pagination.paginate_queryset(rows, request, view=self)
        data = JobSerializer(page, many=True, context={"board": Board.now(page)}).data
        return pagination.get_paginated_response(data)

    @extend_schema(
        operation_id="jobs_create",
        tags=["jobs"],
        request=JobRequestSerializer,
        parameters=[KEY],
        responses={201: JobSerializer, **errors(403, 404, 409, 413, 415, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        """Queue a job over the photos that the folder holds now."""
        key = request.headers.get("Idempotency-Key")
        job = jobs.submit(request.user, _job_request(request), key)
        return Response(_shown(request, job), status=201)


class JobView(APIView):
    @extend_schema(operation_id="jobs_get", tags=["jobs"], responses={200: JobSerializer, **errors(404)})
    def get(self, request: Request, job_id: str) -> Response:
        """One job, as it is now."""
        return Response(JobSerializer(queries.job_for_api(request.user, job_id)).data)

    @extend_schema(operation_id="jobs_delete", tags=["jobs"], responses={204: None, **errors(403, 404, 409)})
    def delete(self, request: Request, job_id: str) -> Response:
        """Take a finished job off the list. Its results stay in the drive."""
        jobs.remove(request.user, job_id)
        return Response(status=204)


class CancelView(APIView):
    @extend_schema(
        operation_id="jobs_cancel",
        tags=["jobs"],
        request=None,
        responses={200: JobSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Stop a job. A running one finishes the photos in hand first; what is done is kept."""
        return Response(_shown(request, jobs.cancel(request.user, job_id)))


class RetryView(APIView):
    @extend_schema(
        operation_id="jobs_retry",
        tags=["jobs"],
        request=None,
        parameters=[KEY],
        responses={200: JobSerializer, **errors(403, 404, 409, 413, 422, 429)},
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Queue the photos without a good result again: the failed ones, and those never reached."""
        key = request.headers.get("Idempotency-Key")
        return Response(_shown(request, jobs.retry(request.user, job_id, key)))


def _shown(request: Request, job: Job) -> Any:
    return JobSerializer(queries.job_for_api(request.user, job.id)).data


def _job_request(request: Request) -> jobs.JobRequest:
    body = JobRequestSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return body.to_request()


def params_of(value: Any) -> dict[str, Any]:
    """Options of a preview: JSON text in a form, an object in a JSON body."""
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise invalid("invalid", "The options are no JSON.", {"params": ["must be JSON"]}) from None
    if not isinstance(value, dict):
        raise invalid("invalid", "The options must be an object.", {"params": ["must be an object"]})
    return value


def _answer(app: catalog.App, accept: str) -> str:
    offers = [kind for kind, output in previews.ANSWERS.items() if not output or output in app.outputs]
    chosen = preferred(accept, offers)
    if chosen is None:
        raise ApiError(406, "not_acceptable", f"{app.title} can answer with {', '.join(offers)}.")
    return chosen
