"""REST of listings: list, make, change, publish, withdraw, delete, pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.catalog import access, queries, serving
from apps.catalog.models import Family, Kind, Listing
from apps.catalog.serializers import (
    ListingChangeSerializer,
    ListingSerializer,
    NewListingSerializer,
    NewPictureSerializer,
    PicturesSerializer,
)
from apps.catalog.services import listings, pictures
from apps.drive.api.base import JsonView
from apps.processing.storable import is_storable
from marketplace.api import ApiError, Pagination, invalid
from marketplace.api_docs import errors
from marketplace.api_docs import listing as envelope

BODY = (403, 406, 415, 422)


def shown(request: Request, listing: Listing) -> Any:
    listing = queries.shown(request.user, listing.pk)
    return ListingSerializer(listing, context={"user": request.user}).data


class ListingsView(JsonView):
    @extend_schema(
        operation_id="listings_list",
        tags=["market"],
        parameters=[
            OpenApiParameter("mine", bool, description="Your own, in every state. The rest is ignored then."),
            OpenApiParameter("q", str, description="Words in title or description."),
            OpenApiParameter("kind", str, enum=list(Kind.values)),
            OpenApiParameter("family", str, enum=list(Family.values)),
            OpenApiParameter("order", str, enum=list(queries.ORDERS)),
            OpenApiParameter("created_after", str, description="A date or a time, ISO 8601."),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses={
            200: envelope("ListingList", ListingSerializer(many=True)),
            **errors(404, 406, 422),
        },
    )
    def get(self, request: Request) -> Response:
        """What is for sale; or your own listings."""
        query = request.query_params
        if query.get("mine", "false").lower() in {"true", "1"}:
            rows = queries.of_seller(request.user)
        else:
            rows = queries.published(
                q=_storable(query.get("q", "")),
                kind=_choice(query.get("kind", ""), "kind", list(Kind.values)),
                family=_choice(query.get("family", ""), "family", list(Family.values)),
                order=_choice(query.get("order", ""), "order", list(queries.ORDERS)) or "newest",
                created_after=_time(query.get("created_after", "")),
            )
        pagination = Pagination()
        page = pagination.paginate_queryset(rows, request, view=self)
        data = ListingSerializer(page, many=True, context={"user": request.user}).data
        return pagination.get_paginated_response(data)

    @extend_schema(
        operation_id="listings_create",
        tags=["market"],
        request=NewListingSerializer,
        responses={201: ListingSerializer, **errors(409, *BODY)},
    )
    def post(self, request: Request) -> Response:
        """A draft. Then: an upload, a version, `publish`."""
        body = NewListingSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        listing = listings.create(request.user, **body.validated_data)
        return Response(shown(request, listing), status=201)


class ListingView(JsonView):
    @extend_schema(
        operation_id="listings_get", tags=["market"], responses={200: ListingSerializer, **errors(404, 406)}
    )
    def get(self, request: Request, listing_id: str) -> Response:
        """One listing that is for sale, or yours."""
        return Response(shown(request, access.listing_for(request.user, listing_id)))

    @extend_schema(
        operation_id="listings_change",
        tags=["market"],
        request=ListingChangeSerializer,
        responses={200: ListingSerializer, **errors(404, 409, *BODY)},
    )
    def patch(self, request: Request, listing_id: str) -> Response:
        """Words, prices, licence."""
        access.own_listing(request.user, listing_id)
        body = ListingChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(shown(request, listings.change(request.user, listing_id, **body.validated_data)))

    @extend_schema(
        operation_id="listings_delete", tags=["market"], responses={204: None, **errors(403, 404, 406, 409)}
    )
    def delete(self, request: Request, listing_id: str) -> Response:
        """Delete a draft, or a withdrawn listing that nobody bought, with its versions."""
        listings.remove(request.user, listing_id)
        return Response(status=204)


class PublishView(JsonView):
    @extend_schema(
        operation_id="listings_publish",
        tags=["market"],
        request=None,
        responses={200: ListingSerializer, **errors(403, 404, 406, 409, 422)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Offer it. It needs a version that is ready, and a description."""
        return Response(shown(request, listings.publish(request.user, listing_id)))


class WithdrawView(JsonView):
    @extend_schema(
        operation_id="listings_withdraw",
        tags=["market"],
        request=None,
        responses={200: ListingSerializer, **errors(403, 404, 406, 409)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Offer it no longer. Who bought it keeps it."""
        return Response(shown(request, listings.withdraw(request.user, listing_id)))


class PicturesView(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="listings_add_pictures",
        tags=["market"],
        request={"multipart/form-data": NewPictureSerializer},
        responses={201: PicturesSerializer, **errors(404, 409, 413, *BODY)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Preview images, six at most. What can't be kept is listed with its reason."""
        listing = access.own_listing(request.user, listing_id)
        body = NewPictureSerializer(data={"files": request.FILES.getlist("files")})
        body.is_valid(raise_exception=True)
        items, rejected = [], []
        for file in body.validated_data["files"]:
            try:
                items.append(pictures.add(request.user, listing, file))
            except ApiError as error:
                rejected.append({"name": file.name, "code": error.code, "message": error.message})
                first = error
        if not items:
            raise first
        return Response(PicturesSerializer({"items": items, "rejected": rejected}).data, status=201)


class PictureView(JsonView):
    @extend_schema(
        operation_id="pictures_get",
        tags=["market"],
        parameters=[OpenApiParameter("small", bool)],
        responses={(200, "image/webp"): OpenApiTypes.BINARY, 304: None, **errors(404, 406)},
    )
    def get(self, request: Request, picture_id: str) -> HttpResponseBase:
        """A preview image, as WebP."""
        small = request.query_params.get("small", "").lower() in {"true", "1"}
        return serving.picture(request, access.picture_for(request.user, picture_id), small=small)

    @extend_schema(
        operation_id="pictures_delete", tags=["market"], responses={204: None, **errors(403, 404, 406)}
    )
    def delete(self, request: Request, picture_id: str) -> Response:
        """Take it off the listing."""
        pictures.remove(request.user, picture_id)
        return Response(status=204)


def _choice(value: str, name: str, allowed: list[str]) -> str:
    if value and value not in allowed:
        raise invalid(
            "invalid", f"{name} is none of those known.", {name: [f"must be one of {', '.join(allowed)}"]}
        )
    return value


def _storable(text: str) -> str:
    if not is_storable(text):
        raise invalid("invalid", "q can't be searched for.", {"q": ["holds characters that can't be stored"]})
    return text


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = parse_datetime(text) or datetime.combine(parse_date(text), datetime.min.time())  # type: ignore[arg-type]
        return make_aware(found) if is_naive(found) else found
    except (ValueError, TypeError, OverflowError):
        fields = {"created_after": ["must be a date or a time, ISO 8601"]}
        raise invalid("invalid", "created_after can't be read.", fields) from None
