"""REST of folders: list, create, change, trash, zip, upload."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.drive import access, archive, names, queries, serving, uploads
from apps.drive.api import params
from apps.drive.api.base import JsonView
from apps.drive.api.docs import BODY, CURSOR, LOCATION, PAGE_SIZE, binary, errors, listing
from apps.drive.models import Folder
from apps.drive.serializers import (
    AddedImageSerializer,
    AllRejectedSerializer,
    FolderChangeSerializer,
    FolderSerializer,
    NewFolderSerializer,
    UploadedSerializer,
    UploadSerializer,
)
from apps.drive.services import folders, images
from marketplace.api import ApiError, envelope, invalid


def render(found: Iterable[Folder], paths: dict[str, str]) -> list[dict[str, Any]]:
    found = list(found)
    context = {"paths": paths, "counts": queries.image_counts([folder.pk for folder in found])}
    return FolderSerializer(found, many=True, context=context).data


def render_one(user: User, folder: Folder) -> dict[str, Any]:
    """With its place looked up again: it may just have been made or moved."""
    folder = access.folder_for(user, folder.pk)
    return render([folder], {folder.pk: "/".join(step.name for step in folder.path)})[0]


class FolderList(JsonView):
    @extend_schema(
        operation_id="folders_list",
        tags=["drive"],
        parameters=[
            OpenApiParameter("parent", str, description="Only what lies directly in it; `top`: at the top."),
            CURSOR,
            PAGE_SIZE,
        ],
        responses={200: listing("FolderList", FolderSerializer(many=True)), **errors(404, 422)},
    )
    def get(self, request: Request) -> Response:
        """Your folders, parents before children, by name."""
        size, start = params.page_size(request), params.offset(request)
        nodes = queries.tree(request.user)
        parent = request.query_params.get("parent")
        if parent == "top":
            nodes = [node for node in nodes if node.depth == 0]
        elif parent is not None:
            top = access.folder_for(request.user, parent)
            nodes = [node for node in nodes if node.folder.parent_id == top.pk]
        page = nodes[start : start + size]
        more = str(start + size) if start + size < len(nodes) else None
        items = render([node.folder for node in page], {node.folder.pk: node.path for node in page})
        return Response({"items": items, "next": params.next_url(request, more), "count": len(nodes)})

    @extend_schema(
        operation_id="folders_create",
        tags=["drive"],
        request=NewFolderSerializer,
        responses={
            201: FolderSerializer,
            200: OpenApiResponse(FolderSerializer, "It was there already (`if_exists=reuse`)."),
            **errors(404, 409, *BODY),
        },
    )
    def post(self, request: Request) -> Response:
        """A new folder."""
        asked = NewFolderSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        name, parent_id, if_exists = (asked.validated_data[key] for key in ("name", "parent", "if_exists"))
        parent = access.folder_for(request.user, parent_id) if parent_id is not None else None
        if if_exists == "reuse":
            folder, made = folders.ensure(request.user, name, parent)
        else:
            folder, made = folders.create(request.user, name, parent, unique=if_exists == "rename"), True
        return Response(render_one(request.user, folder), status=201 if made else 200)


class FolderDetail(JsonView):
    @extend_schema(
        operation_id="folders_get", tags=["drive"], responses={200: FolderSerializer, **errors(404)}
    )
    def get(self, request: Request, folder_id: str) -> Response:
        """One folder."""
        return Response(render_one(request.user, access.folder_for(request.user, folder_id)))

    @extend_schema(
        operation_id="folders_change",
        tags=["drive"],
        request=FolderChangeSerializer,
        responses={200: FolderSerializer, **errors(404, 409, *BODY)},
    )
    def patch(self, request: Request, folder_id: str) -> Response:
        """Rename it, move it, or both."""
        folder = access.folder_for(request.user, folder_id)
        asked = FolderChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        new = asked.validated_data
        parent = access.folder_for(request.user, new["parent"]) if new.get("parent") is not None else None
        folders.change(folder, name=new.get("name"), parent=parent, moving="parent" in new)
        return Response(render_one(request.user, folder))

    @extend_schema(operation_id="folders_trash", tags=["drive"], responses={204: None, **errors(403, 404)})
    def delete(self, request: Request, folder_id: str) -> Response:
        """Move it to the trash, with all in it."""
        folders.trash(access.folder_for(request.user, folder_id))
        return Response(status=204)


class FolderArchive(JsonView):
    @extend_schema(
        operation_id="folders_archive",
        tags=["drive"],
        parameters=[LOCATION],
        responses={**binary("application/zip"), **errors(404, 422)},
    )
    def get(self, request: Request, folder_id: str) -> HttpResponseBase:
        """All photos in it and below it as a zip, without the places they were taken at."""
        keep = params.choice(request, "location", ("strip", "keep"), "strip") == "keep"
        folder = access.folder_for(request.user, folder_id)
        return serving.zip_file(folder.name, archive.of_folder(folder), keep_location=keep)


class FolderImages(JsonView):
    parser_classes = [uploads.PhotoParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        uploads.check_csrf_by_header_only(request)
        return super().initialize_request(request, *args, **kwargs)

    @extend_schema(
        operation_id="folders_upload",
        tags=["drive"],
        parameters=[
            OpenApiParameter(
                "duplicates",
                str,
                enum=["skip", "keep"],
                description="What to do with a photo whose bytes are in the folder already: `skip` (default) "
                "answers the photo that is there, `keep` adds another one.",
            )
        ],
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: UploadedSerializer,
            **errors(403, 404, 409, 413, 415, 507),
            422: OpenApiResponse(AllRejectedSerializer, "No file could be kept; `rejected` says why."),
        },
    )
    def post(self, request: Request, folder_id: str) -> Response:
        """Upload photos. Those that can't be kept are listed with their reasons; the others are kept."""
        keep = params.choice(request, "duplicates", ("skip", "keep"), "skip") == "keep"
        folder = access.folder_for(request.user, folder_id)
        files: list[uploads.StagedUpload] = request.FILES.getlist("files")
        try:
            items, rejected = self._keep(request.user, folder, files, keep)
        finally:
            for file in (file for _, several in request.FILES.lists() for file in several):
                file.close()
        if not files:
            raise invalid("invalid", "No file was sent.", {"files": ["At least one file is needed."]})
        if not items:
            return _all_rejected(rejected)
        return Response({"items": items, "rejected": rejected}, status=201)

    @staticmethod
    def _keep(
        user: User, folder: Folder, files: list[uploads.StagedUpload], keep_duplicates: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        items, rejected = [], []
        for file in files:
            try:
                below, name = names.split_path(file.sent_name)
                added = images.put(
                    user, folder, name, file.staged, below=below, keep_duplicates=keep_duplicates
                )
            except ApiError as error:
                row = {"name": file.sent_name, "code": error.code, "message": error.message}
                rejected.append(row | {"status": error.status_code})
            else:
                twin = added.duplicate_of
                added.image.duplicate_of = twin.pk if twin else None
                items.append(AddedImageSerializer(added.image).data)
            finally:
                file.close()
        for row in rejected:
            row_status = row.pop("status")
            if not items and row["code"] == "disk_full":
                raise ApiError(row_status, row["code"], row["message"])
        return items, rejected


def _all_rejected(rejected: list[dict[str, Any]]) -> Response:
    """422 in the error envelope, with the reason for each file beside it."""
    codes = {row["code"] for row in rejected}
    if len(rejected) == 1:
        message = rejected[0]["message"]
    else:
        message = f"None of the {len(rejected)} files can be kept."
    code = codes.pop() if len(codes) == 1 else "all_rejected"
    fields = {"files": [f"{row['name']}: {row['message']}" for row in rejected]}
    return Response({**envelope(code, message, fields), "items": [], "rejected": rejected}, status=422)
