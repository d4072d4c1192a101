"""REST of listings: list, make, change, publish, withdraw, delete, pictures."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.catalog import access, queries, serving
from apps.catalog.api import search
from apps.catalog.models import Listing
from apps.catalog.serializers import (
    ListingChangeSerializer,
    ListingSerializer,
    NewListingSerializer,
    NewPictureSerializer,
    PicturesSerializer,
)
from apps.catalog.services import listings, pictures
from apps.drive.api.base import JsonView
from marketplace.api import ApiError, Pagination
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
            *search.PARAMETERS,
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
            rows = queries.for_pages(queries.published(search.parse(query)))
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
