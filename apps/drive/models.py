"""Names and places of photos. The bytes lie at `drive/<owner>/<sha256>` under DATA_DIR, written once.

A folder or image with `trashed_at` is in the trash: no list shows it, its name is free again, and it is
deleted for good after TRASH_DAYS. Trashing a folder marks only that folder; what lies in it is hidden because
its ancestor is. What is in the trash still counts against the quota.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from marketplace.ids import new_id

LIVE = Q(trashed_at__isnull=True)


class Folder(models.Model):
    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="folders")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    name = models.CharField(max_length=120)
    # Set when a job made this folder ("job:<id>"): makes its creation idempotent.
    origin = models.CharField(max_length=80, null=True, blank=True, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "parent", "name"],
                condition=LIVE & Q(parent__isnull=False),
                name="folder_name_in_parent",
            ),
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=LIVE & Q(parent__isnull=True),
                name="folder_name_at_top",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "parent", "name"]),
            models.Index(fields=["owner", "trashed_at"]),
        ]

    # Its ancestors and itself, from the top; set where `access` has looked them up.
    path: list[Folder]

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """One name for some bytes. `width` and `height` are as seen, after EXIF orientation."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="images")
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="images")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=8, help_text="jpeg, png, tiff or webp, by content")
    bytes = models.BigIntegerField()
    # Of its attachments, so that what an owner uses is one sum over one index.
    attached_bytes = models.BigIntegerField(default=0)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    # "job:<job id>:<source image id>" for a job's output: makes ingest idempotent.
    origin = models.CharField(max_length=80, null=True, blank=True, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["folder", "name"], condition=LIVE, name="image_name_in_folder")
        ]
        indexes = [
            # A page of a folder: equality on the first two, then in order of the rest.
            models.Index(fields=["folder", "trashed_at", "name", "id"]),
            # The same, newest and largest first.
            models.Index(fields=["folder", "trashed_at", "created", "id"]),
            models.Index(fields=["folder", "trashed_at", "bytes", "id"]),
            # Is it there already, when the same bytes are uploaded again.
            models.Index(fields=["folder", "sha256"]),
            # What an owner uses, without touching the rows.
            models.Index(fields=["owner", "bytes", "attached_bytes"]),
            models.Index(fields=["owner", "sha256"]),
            models.Index(fields=["owner", "trashed_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class Attachment(models.Model):
    """A file that belongs to an image without being one: ASCII art as text and as HTML."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "name"], name="attachment_name_of_image")]

    def __str__(self) -> str:
        return self.name


class ShareLink(models.Model):
    """Read-only access to one folder and what lies below it, for anyone who has the token."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="shares")
    token = models.CharField(max_length=43, unique=True, help_text="256 random bits, URL-safe base64")
    expires = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"share of {self.folder_id}"

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()
