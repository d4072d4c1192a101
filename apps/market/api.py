"""REST of the market: try, review, download, report. Listings are the catalogue's, purchases payments'."""

from __future__ import annotations

import json

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.catalog import access
from apps.drive.api.base import JsonView
from apps.market import queries
from apps.market.serializers import (
    LinkSerializer,
    ReportRequestSerializer,
    ReportSerializer,
    ReviewRequestSerializer,
    ReviewSerializer,
    TriedSerializer,
)
from apps.market.services import downloads, moderation, reviews, tries
from apps.processing.api import params_of
from apps.processing.api_docs import KEY
from apps.processing.api_docs import errors as preview_errors
from apps.processing.negotiation import AnyAccept, preferred
from apps.processing.serializers import PreviewRequestSerializer
from marketplace.api import ApiError, Pagination
from marketplace.api_docs import errors
from marketplace.api_docs import listing as envelope
from marketplace.parsers import JSONParser

BODY = (403, 406, 415, 422)


class TryView(APIView):
    parser_classes = [MultiPartParser, JSONParser]
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="listings_preview",
        tags=["market"],
        request={"multipart/form-data": PreviewRequestSerializer},
        parameters=[
            OpenApiParameter(
                "Accept", str, OpenApiParameter.HEADER, description="application/json or image/*"
            ),
            KEY,
        ],
        responses={
            (200, "application/json"): TriedSerializer,
            (200, "image/*"): OpenApiTypes.BINARY,
            **preview_errors(403, 404, 406, 409, 413, 415, 422, 429, 502, 503, 504, 507),
        },
    )
    def post(self, request: Request, listing_id: str) -> HttpResponse:
        """The listing on one photo of yours, before you buy: a few times a day, the result marked. 429
        `no_free_previews` when they are used up. Who has bought it pays its price per image, as in `apps`."""
        body = PreviewRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        accept = preferred(request.headers.get("Accept", ""), ["application/json", "image/*"])
        if accept is None:
            raise ApiError(406, "not_acceptable", "A preview answers with application/json or image/*.")
        tried = tries.try_out(
            request.user,
            listing_id,
            upload=body.validated_data.get("file"),
            image=body.validated_data.get("image"),
            params=params_of(body.validated_data.get("params")),
            accept=accept,
            key=request.headers.get("Idempotency-Key"),
        )
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **tried.preview.headers}
        if tried.allowance:
            headers["Free-Previews-Left"] = str(tried.allowance.left)
        body_ = tried.preview.body
        if accept == "application/json":
            body_ = _with_allowance(body_, tried.allowance)
        return HttpResponse(body_, content_type=tried.preview.content_type, headers=headers)


def _with_allowance(body: bytes, allowance: tries.Allowance | None) -> bytes:
    answer = json.loads(body)
    answer.setdefault("marked", False)
    answer["free_previews"] = {"limit": allowance.limit, "left": allowance.left} if allowance else None
    return json.dumps(answer).encode()


class ReviewsView(JsonView):
    @extend_schema(
        operation_id="reviews_list",
        tags=["market"],
        parameters=[OpenApiParameter("page", int), OpenApiParameter("page_size", int)],
        responses={
            200: envelope("ReviewList", ReviewSerializer(many=True)),
            **errors(404, 406),
        },
    )
    def get(self, request: Request, listing_id: str) -> Response:
        """What buyers say, the newest first."""
        listing = access.listing_for(request.user, listing_id)
        pagination = Pagination()
        page = pagination.paginate_queryset(queries.reviews_of(listing), request, view=self)
        return pagination.get_paginated_response(ReviewSerializer(page, many=True).data)

    @extend_schema(
        operation_id="reviews_write",
        tags=["market"],
        request=ReviewRequestSerializer,
        responses={200: ReviewSerializer, 201: ReviewSerializer, **errors(404, 409, *BODY)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Your review, made or changed: one for each listing. 403 `not_bought`."""
        body = ReviewRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        review = reviews.write(request.user, listing_id, **body.validated_data)
        status = 201 if review.updated == review.created else 200
        return Response(ReviewSerializer(review).data, status=status)

    @extend_schema(
        operation_id="reviews_delete", tags=["market"], responses={204: None, **errors(403, 404, 406)}
    )
    def delete(self, request: Request, listing_id: str) -> Response:
        """Take your review away."""
        reviews.remove(request.user, listing_id)
        return Response(status=204)


class DownloadView(JsonView):
    @extend_schema(
        operation_id="listings_download",
        tags=["market"],
        request=None,
        responses={200: LinkSerializer, **errors(403, 404, 406)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """A link to the current version's weights, for their seller and for buyers whose licence says so. It
        expires."""
        link = downloads.link(request.user, listing_id)
        data = dict(LinkSerializer(link).data)
        data["url"] = request.build_absolute_uri(link.url)
        return Response(data)


class ReportView(JsonView):
    @extend_schema(
        operation_id="listings_report",
        tags=["market"],
        request=ReportRequestSerializer,
        responses={201: ReportSerializer, **errors(404, 409, *BODY)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Tell staff that a listing should not be here: once."""
        body = ReportRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        report = moderation.report(request.user, listing_id, **body.validated_data)
        return Response(ReportSerializer(report).data, status=201)
