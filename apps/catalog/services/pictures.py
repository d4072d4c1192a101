"""Preview images of a listing: checked as photos of the drive are, and kept as WebP of ours."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from django.conf import settings

from apps.accounts.models import User
from apps.catalog import access, storage
from apps.catalog.models import Listing, Picture
from apps.drive import locks, thumbnails
from apps.drive import storage as drive
from marketplace.api import conflict

MOST = 6
SIDE = 1280


def add(user: User, listing: Listing, file: BinaryIO) -> Picture:
    """The picture; the same one again gives the one that is there. 409 `too_many_pictures`; 413 and 422 as
    for photos of the drive."""
    with drive.stage(file, settings.MAX_IMAGE_BYTES) as staged:
        large, width, height = thumbnails.render(staged.path, SIDE)
        small, _, _ = thumbnails.render(staged.path, thumbnails.SIDE)
    sha256 = hashlib.sha256(large).hexdigest()
    with locks.owner(user.pk):
        listing = access.own_listing(user, listing.pk)
        there = listing.pictures.filter(sha256=sha256).first()
        if there is None and listing.pictures.count() >= MOST:
            raise conflict("too_many_pictures", f"A listing has at most {MOST} pictures. Remove one first.")
        drive.write_derived(storage.picture_path(sha256), large)
        drive.write_derived(storage.picture_path(sha256, small=True), small)
        return there or Picture.objects.create(
            listing=listing, sha256=sha256, bytes=len(large), width=width, height=height
        )


def remove(user: User, picture_id: str) -> None:
    """Its files go with a later sweep: another listing may show the same picture."""
    with locks.owner(user.pk):
        Picture.objects.filter(pk=access.own_picture(user, picture_id).pk).delete()
