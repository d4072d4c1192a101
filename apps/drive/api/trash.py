"""REST of the trash."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.drive import access, queries
from apps.drive.api import params
from apps.drive.api.docs import BODY, CURSOR, PAGE_SIZE, errors, listing
from apps.drive.serializers import (
    DeletedSerializer,
    RestoredSerializer,
    SelectionSerializer,
    TrashedSerializer,
)
from apps.drive.services import trash


class Trash(APIView):
    @extend_schema(
        operation_id="trash_list",
        tags=["drive"],
        parameters=[CURSOR, PAGE_SIZE],
        responses={200: listing("TrashList", TrashedSerializer(many=True)), **errors(422)},
    )
    def get(self, request: Request) -> Response:
        """What is in the trash, the latest first."""
        size, start = params.page_size(request), params.offset(request)
        count = queries.trash_count(request.user)
        rows = queries.trash(request.user, start, size)
        days = timedelta(days=settings.TRASH_DAYS)
        items = TrashedSerializer(
            [{**vars(row), "deleted_after": row.trashed_at + days} for row in rows], many=True
        ).data
        more = str(start + size) if start + size < count else None
        return Response({"items": items, "next": params.next_url(request, more), "count": count})

    @extend_schema(
        operation_id="trash_empty", tags=["drive"], responses={200: DeletedSerializer, **errors(403)}
    )
    def delete(self, request: Request) -> Response:
        """Delete all that is in it, for good."""
        return Response({"deleted": trash.empty(request.user)})


class TrashRestore(APIView):
    @extend_schema(
        operation_id="trash_restore",
        tags=["drive"],
        request=SelectionSerializer,
        responses={200: RestoredSerializer, **errors(409, *BODY)},
    )
    def post(self, request: Request) -> Response:
        """Put things back where they were, or into the nearest folder above that is still there. Ids that
        are not in your trash are passed over."""
        folder_ids, image_ids = _selection(request)
        back = trash.restore(request.user, folder_ids, image_ids)
        return Response(
            {"folders": [folder.pk for folder in back.folders], "images": [image.pk for image in back.images]}
        )


class TrashDelete(APIView):
    @extend_schema(
        operation_id="trash_delete",
        tags=["drive"],
        request=SelectionSerializer,
        responses={200: DeletedSerializer, **errors(*BODY)},
    )
    def post(self, request: Request) -> Response:
        """Delete some of what is in it, for good. Ids that are not in your trash are passed over."""
        return Response({"deleted": trash.delete(request.user, *_selection(request))})


def _selection(request: Request) -> tuple[list[str], list[str]]:
    asked = SelectionSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    chosen = asked.validated_data
    return access.ids(chosen["folders"]), access.ids(chosen["images"])
