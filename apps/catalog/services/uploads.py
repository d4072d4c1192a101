"""Weights on their way in, in chunks that can be sent again: after a lost connection, a reload, a crash.

`offset` in the database says how much has come. A chunk is written at its place first and counted after, so
whatever is cut off in between is sent and written again. Of two requests with the same chunk one counts.
"""

from __future__ import annotations

from django.utils import timezone

from apps.accounts.models import User
from apps.catalog import access, storage
from apps.catalog.models import Listing, Upload
from apps.catalog.services import room
from apps.drive import locks, names
from marketplace.api import ApiError, conflict, invalid


def begin(user: User, listing: Listing, *, name: str, size: int) -> Upload:
    """An open upload. The same listing, name and size as an unfinished one gives that one, to go on with.

    409 `too_many_uploads`, `taken_down`. 413 `too_large`, `quota_exceeded`. 422 `bad_name`, `empty`.
    """
    name = names.check(name, names.IMAGE_CHARS)
    room.check_size(size)
    with locks.owner(user.pk):
        check_open_for_versions(listing)
        again = Upload.objects.filter(owner=user, listing=listing, name=name, size=size).first()
        if again:
            return again
        room.check_open(user)
        room.check(user, size)
        return Upload.objects.create(owner=user, listing=listing, name=name, size=size)


def check_open_for_versions(listing: Listing) -> None:
    """409 when no version can be added. Under the seller's lock."""
    now = Listing.objects.get(pk=listing.pk)
    if now.status == Listing.Status.TAKEN_DOWN:
        raise conflict("taken_down", f"This listing was taken down: {now.status_reason} Nothing was kept.")
    if now.versions.count() >= room.MAX_VERSIONS:
        text = f"A listing has at most {room.MAX_VERSIONS} versions. Make a new listing."
        raise conflict("too_many_versions", text)


def append(user: User, upload_id: str, *, offset: int, data: bytes) -> Upload:
    """The upload with one more chunk. 409 `wrong_offset` tells the right one; 422 for one that is empty, too
    long, or goes beyond the size that was announced."""
    if not 0 < len(data) <= storage.CHUNK_BYTES:
        text = f"A chunk has 1 to {storage.CHUNK_BYTES:,} bytes, not {len(data):,}. It was not kept."
        raise invalid("bad_chunk", text)
    with locks.owner(user.pk):
        upload = access.upload_for(user, upload_id)
        if offset != upload.offset:
            raise _wrong_offset(upload)
        if offset + len(data) > upload.size:
            text = f"This chunk goes beyond the {upload.size:,} bytes that were announced. It was not kept."
            raise invalid("beyond_size", text)
        storage.write_chunk(upload.pk, offset, data)
        upload.offset += len(data)
        upload.updated = timezone.now()
        upload.save(update_fields=["offset", "updated"])
    if upload.offset == upload.size:
        seal(upload)
    return upload


def _wrong_offset(upload: Upload) -> ApiError:
    error = conflict("wrong_offset", f"The next chunk begins at byte {upload.offset}. This one was not kept.")
    error.fields = {"offset": [str(upload.offset)]}
    return error


def seal(upload: Upload) -> str:
    """The sha256 of a complete upload. 409 `incomplete`; `upload_gone` when its bytes are not there."""
    if upload.offset < upload.size:
        text = f"{upload.offset:,} of {upload.size:,} bytes have come. Send the rest first."
        raise conflict("incomplete", text)
    if not upload.sha256:
        try:
            upload.sha256 = storage.seal(upload.pk, upload.size)
        except (FileNotFoundError, storage.NotThere):
            Upload.objects.filter(pk=upload.pk).update(offset=0)
            text = "The bytes of this upload are gone from the server. Send it again from the beginning."
            raise conflict("upload_gone", text) from None
        Upload.objects.filter(pk=upload.pk).update(sha256=upload.sha256)
    return upload.sha256


def drop(user: User, upload_id: str) -> None:
    """Give an upload up, with its bytes."""
    with locks.owner(user.pk):
        upload = access.upload_for(user, upload_id)
        Upload.objects.filter(pk=upload.pk).delete()
        storage.drop_upload(upload_id)
