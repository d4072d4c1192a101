"""REST of share links."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.drive import access, queries
from apps.drive.api import params
from apps.drive.api.base import JsonView
from apps.drive.api.docs import BODY, CURSOR, PAGE_SIZE, errors, listing
from apps.drive.serializers import NewShareSerializer, ShareSerializer
from apps.drive.services import shares


class FolderShare(JsonView):
    @extend_schema(
        operation_id="folders_share",
        tags=["drive"],
        request=NewShareSerializer,
        responses={201: ShareSerializer, **errors(404, *BODY)},
    )
    def post(self, request: Request, folder_id: str) -> Response:
        """A new read-only link to the folder and what lies below it, for anyone who has the address."""
        folder = access.folder_for(request.user, folder_id)
        asked = NewShareSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        share = shares.create(folder, asked.validated_data["expires_in"])
        return Response(ShareSerializer(share).data, status=201)


class ShareList(JsonView):
    @extend_schema(
        operation_id="shares_list",
        tags=["drive"],
        parameters=[OpenApiParameter("folder", str, description="Only of this folder."), CURSOR, PAGE_SIZE],
        responses={200: listing("ShareList", ShareSerializer(many=True)), **errors(404, 422)},
    )
    def get(self, request: Request) -> Response:
        """Your links that were not revoked, the newest first."""
        size, start = params.page_size(request), params.offset(request)
        folder_id = request.query_params.get("folder")
        folder = access.folder_for(request.user, folder_id) if folder_id is not None else None
        rows = queries.shares(request.user, folder)
        count = rows.count()
        more = str(start + size) if start + size < count else None
        items = ShareSerializer(rows[start : start + size], many=True).data
        return Response({"items": items, "next": params.next_url(request, more), "count": count})


class ShareDetail(JsonView):
    @extend_schema(operation_id="shares_revoke", tags=["drive"], responses={204: None, **errors(403, 404)})
    def delete(self, request: Request, share_id: str) -> Response:
        """Revoke it: its address shows nothing from now on."""
        shares.revoke(access.share_for(request.user, share_id))
        return Response(status=204)
