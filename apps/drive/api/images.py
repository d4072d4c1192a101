"""REST of photos: list, look at, change, trash, and their bytes."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.drive import access, queries, serving
from apps.drive.api import params
from apps.drive.api.base import JsonView
from apps.drive.api.docs import BODY, CURSOR, LOCATION, PAGE_SIZE, binary, errors, listing
from apps.drive.inspect import MEDIA_TYPES
from apps.drive.serializers import ImageChangeSerializer, ImageDetailSerializer, ImageSerializer
from apps.drive.services import images
from marketplace.api import invalid


class ImageList(JsonView):
    @extend_schema(
        operation_id="images_list",
        tags=["drive"],
        parameters=[
            OpenApiParameter("folder", str, required=True, description="Id of the folder they lie in."),
            OpenApiParameter("q", str, description="Only photos with this in their name."),
            OpenApiParameter("order", str, enum=list(queries.ORDERS), description="Default: `name`."),
            CURSOR,
            PAGE_SIZE,
        ],
        responses={200: listing("ImageList", ImageSerializer(many=True)), **errors(404, 422)},
    )
    def get(self, request: Request) -> Response:
        """The photos of a folder, by name, by when they came in, or by size. `count` is of those found."""
        size = params.page_size(request)
        order = params.choice(request, "order", tuple(queries.ORDERS), "name")
        q = request.query_params.get("q", "")
        if "folder" not in request.query_params:
            raise invalid("invalid", "folder is needed.", {"folder": ["The id of a folder is needed."]})
        folder = access.folder_for(request.user, request.query_params["folder"])
        try:
            page = queries.images_page(folder, request.query_params.get("cursor"), size, q, order)
        except ValueError:
            raise params.bad_cursor() from None
        return Response(
            {
                "items": ImageSerializer(page.images, many=True).data,
                "next": params.next_url(request, page.next),
                "count": queries.found_images(folder, q).count(),
            }
        )


class ImageDetail(JsonView):
    @extend_schema(
        operation_id="images_get", tags=["drive"], responses={200: ImageDetailSerializer, **errors(404)}
    )
    def get(self, request: Request, image_id: str) -> Response:
        """One photo, with the files that a job attached to it."""
        return Response(ImageDetailSerializer(access.image_for(request.user, image_id)).data)

    @extend_schema(
        operation_id="images_change",
        tags=["drive"],
        request=ImageChangeSerializer,
        responses={200: ImageDetailSerializer, **errors(404, 409, *BODY)},
    )
    def patch(self, request: Request, image_id: str) -> Response:
        """Rename it, move it, or both."""
        image = access.image_for(request.user, image_id)
        asked = ImageChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        new = asked.validated_data
        folder = access.folder_for(request.user, new["folder"]) if "folder" in new else None
        images.change(image, name=new.get("name"), folder=folder)
        return Response(ImageDetailSerializer(image).data)

    @extend_schema(operation_id="images_trash", tags=["drive"], responses={204: None, **errors(403, 404)})
    def delete(self, request: Request, image_id: str) -> Response:
        """Move it to the trash."""
        image = access.image_for(request.user, image_id)
        images.trash(image)
        return Response(status=204)


_PART = OpenApiResponse(OpenApiTypes.BINARY, "The part that Range asks for.")
_SAME = OpenApiResponse(None, "Not changed since (If-None-Match).")


class ImageContent(JsonView):
    @extend_schema(
        operation_id="images_content",
        tags=["drive"],
        parameters=[
            LOCATION,
            OpenApiParameter("download", bool, description="As a file to save, without its place."),
        ],
        responses={
            **binary(*MEDIA_TYPES.values()),
            (206, "image/*"): _PART,
            304: _SAME,
            **errors(404, 422),
            416: OpenApiResponse(None, "The range lies beyond the end."),
        },
    )
    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        """Its bytes, as they were uploaded; with `download`, without the place it was taken at."""
        download = params.choice(request, "download", ("true", "false"), "false") == "true"
        default = "strip" if download else "keep"
        keep = params.choice(request, "location", ("strip", "keep"), default) == "keep"
        image = access.image_for(request.user, image_id)
        return serving.content(request, image, keep_location=keep, download=download)


class ImageThumbnail(JsonView):
    @extend_schema(
        operation_id="images_thumbnail",
        tags=["drive"],
        responses={**binary("image/webp"), 304: _SAME, **errors(404)},
    )
    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        """A WebP of at most 320 × 320 pixels, the right way up."""
        return serving.thumbnail(request, access.image_for(request.user, image_id))


class AttachmentContent(JsonView):
    @extend_schema(
        operation_id="images_attachment",
        tags=["drive"],
        responses={**binary("text/plain", "text/html", "application/octet-stream"), **errors(404)},
    )
    def get(self, request: Request, image_id: str, attachment_id: int) -> HttpResponseBase:
        """A file that a job attached to the photo, as a download."""
        return serving.attachment(request, access.attachment_for(request.user, image_id, attachment_id))
