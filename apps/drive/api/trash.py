"""REST of the trash, and of moving several things at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.drive import access, queries
from apps.drive.api import params
from apps.drive.api.base import JsonView
from apps.drive.api.docs import BODY, CURSOR, PAGE_SIZE, errors, listing
from apps.drive.serializers import (
    CountSerializer,
    LivingSelectionSerializer,
    MovedSerializer,
    MoveSerializer,
    SelectionSerializer,
    TrashedSerializer,
)
from apps.drive.services import selection


class Trash(JsonView):
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
        operation_id="trash_put",
        tags=["drive"],
        request=LivingSelectionSerializer,
        responses={200: MovedSerializer, **errors(404, *BODY)},
    )
    def post(self, request: Request) -> Response:
        """Move several things to the trash. Ids that are not yours are passed over."""
        asked = LivingSelectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(MovedSerializer(selection.trash(request.user, chosen(request, asked))).data)

    @extend_schema(
        operation_id="trash_empty", tags=["drive"], responses={200: CountSerializer, **errors(403)}
    )
    def delete(self, request: Request) -> Response:
        """Delete all that is in it, for good."""
        return Response({"count": selection.empty_trash(request.user)})


class TrashRestore(JsonView):
    @extend_schema(
        operation_id="trash_restore",
        tags=["drive"],
        request=SelectionSerializer,
        responses={200: MovedSerializer, **errors(409, *BODY)},
    )
    def post(self, request: Request) -> Response:
        """Put things back where they were, or into the nearest folder above that is still there. Ids that
        are not in your trash are passed over."""
        asked = SelectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(MovedSerializer(selection.restore(request.user, chosen(request, asked))).data)


class TrashDelete(JsonView):
    @extend_schema(
        operation_id="trash_delete",
        tags=["drive"],
        request=SelectionSerializer,
        responses={200: CountSerializer, **errors(*BODY)},
    )
    def post(self, request: Request) -> Response:
        """Delete some of what is in it, for good. Ids that are not in your trash are passed over."""
        asked = SelectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"count": selection.delete(request.user, chosen(request, asked))})


class Move(JsonView):
    @extend_schema(
        operation_id="drive_move",
        tags=["drive"],
        request=MoveSerializer,
        responses={200: CountSerializer, **errors(404, 409, *BODY)},
    )
    def post(self, request: Request) -> Response:
        """Move several things into a folder; a name that is taken there gets a number. All or none; ids that
        are not yours are passed over."""
        asked = MoveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        to = asked.validated_data["to"]
        target = access.folder_for(request.user, to) if to is not None else None
        return Response({"count": selection.move(request.user, chosen(request, asked), target)})


def chosen(request: Request, asked: Serializer[Any]) -> selection.Selection:
    data = asked.validated_data
    whole = data.get("images_in")
    return selection.Selection(
        access.ids(data["folders"]),
        access.ids(data["images"]),
        access.folder_for(request.user, whole) if whole is not None else None,
    )
