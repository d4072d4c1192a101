"""The JSON of folders, photos, shares and the trash."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.drive import names
from apps.drive.models import Folder, Image, ShareLink
from apps.drive.services import shares


class Text(serializers.CharField):
    """A string, and not a number that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Id(Text):
    """Whether there is such a thing is found out by looking: an empty one is not there either."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_blank=True, **options)


class FolderSerializer(serializers.Serializer[Folder]):
    """The view hands over what it looked up for all rows at once: `paths` and `counts` by folder id."""

    id = serializers.CharField()
    name = serializers.CharField()
    parent = serializers.CharField(source="parent_id", allow_null=True, help_text="null: at the top")
    path = serializers.SerializerMethodField(help_text="names from the top, joined by /")
    image_count = serializers.SerializerMethodField(help_text="photos directly in it")
    created = serializers.DateTimeField()

    def get_path(self, folder: Folder) -> str:
        return self.context["paths"][folder.pk]

    def get_image_count(self, folder: Folder) -> int:
        return self.context["counts"].get(folder.pk, 0)


class NewFolderSerializer(serializers.Serializer[Any]):
    name = Text(min_length=1, max_length=names.FOLDER_CHARS)
    parent = Id(required=False, allow_null=True, default=None, help_text="id of a folder; null: at the top")
    if_exists = serializers.ChoiceField(
        ["fail", "reuse", "rename"],
        default="fail",
        help_text="when the name is taken: 409, the folder that is there, or the name with a number",
    )


class FolderChangeSerializer(serializers.Serializer[Any]):
    name = Text(min_length=1, max_length=names.FOLDER_CHARS, required=False)
    parent = Id(required=False, allow_null=True, help_text="null: to the top")


class AttachmentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    media_type = serializers.CharField()
    bytes = serializers.IntegerField()


class ImageSerializer(serializers.Serializer[Image]):
    id = serializers.CharField()
    name = serializers.CharField()
    folder = serializers.CharField(source="folder_id")
    width = serializers.IntegerField(help_text="as seen, after EXIF orientation")
    height = serializers.IntegerField(help_text="as seen, after EXIF orientation")
    format = serializers.ChoiceField(["jpeg", "png", "tiff", "webp"])
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    created = serializers.DateTimeField()


class ImageDetailSerializer(ImageSerializer):
    attachments = AttachmentSerializer(many=True)


class ImageChangeSerializer(serializers.Serializer[Any]):
    name = Text(min_length=1, max_length=names.IMAGE_CHARS, required=False)
    folder = Id(required=False)


class UploadSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(),
        allow_empty=False,
        help_text="One part for each photo. A file name may be a path (holiday/day 1/cat.jpg): its folders "
        "are made below this one.",
    )


class AddedImageSerializer(ImageSerializer):
    duplicate_of = serializers.CharField(
        allow_null=True,
        help_text="the photo with the same bytes that was in the folder already; without "
        "`duplicates=keep` nothing was added, and the item is that photo",
    )


class RejectedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    code = serializers.CharField(
        help_text="bad_name, empty, unsupported_type, truncated, corrupt, animated, too_large, "
        "too_many_pixels, quota_exceeded, too_deep, too_many_folders, folder_gone or disk_full"
    )
    message = serializers.CharField()


class UploadedSerializer(serializers.Serializer[Any]):
    items = AddedImageSerializer(many=True)
    rejected = RejectedSerializer(many=True)


class ErrorBodySerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class DriveErrorSerializer(serializers.Serializer[Any]):
    error = ErrorBodySerializer()


class AllRejectedSerializer(DriveErrorSerializer):
    items = AddedImageSerializer(many=True, required=False)
    rejected = RejectedSerializer(many=True, required=False)


class NewShareSerializer(serializers.Serializer[Any]):
    expires_in = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=60,
        max_value=shares.LONGEST,
        help_text="seconds from now; null: until it is revoked",
    )


class ShareSerializer(serializers.Serializer[ShareLink]):
    id = serializers.CharField()
    folder = serializers.CharField(source="folder_id")
    url = serializers.SerializerMethodField()
    expires = serializers.DateTimeField(allow_null=True)
    created = serializers.DateTimeField()

    def get_url(self, share: ShareLink) -> str:
        return shares.url(share)


class TrashedSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["folder", "image"])
    id = serializers.CharField()
    name = serializers.CharField()
    was_in = serializers.CharField(help_text="name of the folder it was in")
    trashed_at = serializers.DateTimeField()
    deleted_after = serializers.DateTimeField(help_text="when it is deleted for good")


class SelectionSerializer(serializers.Serializer[Any]):
    folders = serializers.ListField(child=Id(), max_length=20_000, default=list)
    images = serializers.ListField(child=Id(), max_length=20_000, default=list)


class LivingSelectionSerializer(SelectionSerializer):
    images_in = Id(
        required=False, allow_null=True, default=None, help_text="and every photo directly in this folder"
    )


class MoveSerializer(LivingSelectionSerializer):
    to = Id(allow_null=True, help_text="id of a folder; null: to the top, folders only")


class MovedSerializer(serializers.Serializer[Any]):
    folders = serializers.ListField(child=serializers.CharField(), help_text="ids that were moved")
    images = serializers.ListField(child=serializers.CharField(), help_text="ids that were moved")


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="how many things it was done to")
