"""REST of uploads and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.catalog import access, queries, serving, storage
from apps.catalog.api.listings import BODY
from apps.catalog.serializers import (
    NewUploadSerializer,
    NewVersionSerializer,
    UploadSerializer,
    VersionSerializer,
)
from apps.catalog.services import uploads, versions
from apps.catalog.services.versions import VersionRequest
from apps.drive.api.base import JsonView
from apps.processing.api_docs import KEY
from marketplace.api import invalid
from marketplace.api_docs import errors
from marketplace.api_docs import listing as envelope
from marketplace.parsers import JSONParser

OFFSET = OpenApiParameter(
    "Upload-Offset",
    {"type": "integer", "minimum": 0},
    OpenApiParameter.HEADER,
    required=True,
    description="Where the chunk begins: the upload's `offset`.",
)


class ChunkParser(BaseParser):
    """The bytes of one chunk; of a body that is longer, one byte more, so that it can be refused."""

    media_type = "application/octet-stream"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return stream.read(storage.CHUNK_BYTES + 1)


class UploadsView(JsonView):
    @extend_schema(
        operation_id="uploads_create",
        tags=["market"],
        request=NewUploadSerializer,
        responses={201: UploadSerializer, **errors(404, 409, 413, *BODY)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Begin an upload, or go on with one: the same listing, name and size give the one that is there."""
        listing = access.own_listing(request.user, listing_id)
        body = NewUploadSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        upload = uploads.begin(request.user, listing, **body.validated_data)
        return Response(UploadSerializer(upload).data, status=201)


class UploadView(APIView):
    parser_classes = [ChunkParser]

    @extend_schema(
        operation_id="uploads_get", tags=["market"], responses={200: UploadSerializer, **errors(404, 406)}
    )
    def get(self, request: Request, upload_id: str) -> Response:
        """How far it has come."""
        return Response(UploadSerializer(access.upload_for(request.user, upload_id)).data)

    @extend_schema(
        operation_id="uploads_append",
        tags=["market"],
        parameters=[OFFSET],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: UploadSerializer, **errors(404, 409, *BODY)},
    )
    def patch(self, request: Request, upload_id: str) -> Response:
        """The next chunk. 409 `wrong_offset` tells in `fields.offset` where it has to begin."""
        access.upload_for(request.user, upload_id)
        offset = _offset(request.headers.get("Upload-Offset", ""))
        data = request.data if isinstance(request.data, bytes) else b""
        announced = request.headers.get("Content-Length", "")
        if announced.isdigit() and len(data) < min(int(announced), storage.CHUNK_BYTES):
            raise invalid("bad_chunk", "The chunk was cut off on its way. It was not kept; send it again.")
        upload = uploads.append(request.user, upload_id, offset=offset, data=data)
        return Response(UploadSerializer(upload).data)

    @extend_schema(
        operation_id="uploads_delete", tags=["market"], responses={204: None, **errors(403, 404, 406)}
    )
    def delete(self, request: Request, upload_id: str) -> Response:
        """Give it up."""
        uploads.drop(request.user, upload_id)
        return Response(status=204)


class VersionsView(APIView):
    parser_classes = [JSONParser, MultiPartParser]

    @extend_schema(
        operation_id="versions_list",
        tags=["market"],
        responses={200: envelope("VersionList", VersionSerializer(many=True)), **errors(404, 406)},
    )
    def get(self, request: Request, listing_id: str) -> Response:
        """The versions of a listing, newest first. Others than its seller see those that are ready."""
        listing = queries.shown(request.user, listing_id)
        rows = queries.visible_versions(listing, request.user)
        return Response({"items": VersionSerializer(rows, many=True).data, "next": None, "count": len(rows)})

    @extend_schema(
        operation_id="versions_create",
        tags=["market"],
        request={"application/json": NewVersionSerializer, "multipart/form-data": NewVersionSerializer},
        parameters=[KEY],
        responses={202: VersionSerializer, **errors(404, 409, 413, *BODY)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """A new version, of a complete upload or of a small file. Its intake begins at once; look at
        `versions/{id}` for how far it is."""
        listing = access.own_listing(request.user, listing_id)
        body = NewVersionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        file, upload_id = asked.get("file"), asked.get("upload")
        if (file is None) == (upload_id is None):
            text = "send either the id of an upload or a file"
            raise invalid("invalid", "A version needs one file.", {"upload": [text]})
        wanted = VersionRequest(
            listing=listing.pk,
            upload=upload_id or "",
            labels=tuple(asked.get("labels", ())),
            architecture=asked.get("architecture", ""),
        )
        key = request.headers.get("Idempotency-Key")
        if file is None:
            version = versions.create(request.user, wanted, key)
        else:
            version = versions.create_from_file(request.user, wanted, file.name or "", file, key)
        return Response(_shown(request, version.pk), status=202)


class VersionView(JsonView):
    @extend_schema(
        operation_id="versions_get", tags=["market"], responses={200: VersionSerializer, **errors(404, 406)}
    )
    def get(self, request: Request, version_id: str) -> Response:
        """One version: how far its intake is, why it was rejected, or its card."""
        return Response(_shown(request, version_id))


class SampleView(JsonView):
    @extend_schema(
        operation_id="versions_sample",
        tags=["market"],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 304: None, **errors(404, 406)},
    )
    def get(self, request: Request, version_id: str, number: int) -> HttpResponseBase:
        """A sample output of the card, as JPEG."""
        return serving.sample(request, access.version_for(request.user, version_id), number)


def _shown(request: Request, version_id: str) -> Any:
    return VersionSerializer(access.version_for(request.user, version_id)).data


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        fields = {"Upload-Offset": ["must be a whole number"]}
        raise invalid("invalid", "The header Upload-Offset says where the chunk begins.", fields)
    return int(text)
