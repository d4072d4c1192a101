"""A new version of a listing, made of a complete upload. After that it is intake's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import BinaryIO

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog import access, storage, tasks
from apps.catalog.models import Listing, Upload, Version, VersionStep
from apps.catalog.services import leases, room, uploads
from apps.drive import locks, names
from apps.processing.services import once
from marketplace.api import conflict, invalid
from marketplace.ids import new_id

MAX_LABELS = 1000
MAX_LABEL = 100  # characters
_ARCHITECTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


@dataclass(frozen=True)
class VersionRequest:
    """`upload` is the id of a complete upload; `labels` are class names in the network's order."""

    listing: str
    upload: str
    labels: tuple[str, ...] = ()
    architecture: str = ""


def create(user: User, request: VersionRequest, key: str | None = None) -> Version:
    """A version whose intake has been asked for. The same upload, and the same `key`, give the same version.

    404: listing, upload. 409: `incomplete`, `upload_gone`, `taken_down`, `idempotency_key_reused`. 422:
    `invalid`.
    """
    return _create(user, request, key, once.digest(request) if key else "")


def create_from_file(
    user: User, request: VersionRequest, name: str, file: BinaryIO, key: str | None = None
) -> Version:
    """The same of a small file that came in one request; `request.upload` is not used. Also 413 `too_large`,
    `quota_exceeded`, 422 `bad_name`, `empty`."""
    once.check(key)
    _check(request)
    upload = receive(user, access.own_listing(user, request.listing), name=name, file=file)
    body = once.digest(replace(request, upload=upload.sha256)) if key else ""
    version = None
    try:
        version = _create(user, replace(request, upload=upload.pk), key, body)
        return version
    finally:
        if version is None or version.upload_id != upload.pk:  # refused, or made by an earlier request
            uploads.drop(user, upload.pk)


def _create(user: User, request: VersionRequest, key: str | None, body: str) -> Version:
    once.check(key)
    _check(request)
    listing = access.own_listing(user, request.listing)
    if earlier := _earlier(user, listing, request, key, body):
        return earlier
    upload = access.upload_for(user, request.upload)
    if upload.listing_id != listing.pk:
        raise invalid("invalid", "The upload is for another listing.", {"upload": ["is for another listing"]})
    sha256 = uploads.seal(upload)
    with locks.owner(user.pk):
        if earlier := _earlier(user, listing, request, key, body):
            return earlier
        access.upload_for(user, request.upload)  # not given up in the meantime
        uploads.check_open_for_versions(listing)
        version = _store(listing, upload, sha256, request)
        once.remember(user, key, _operation(listing), version.pk, body)
    return version


def _operation(listing: Listing) -> str:
    return f"version {listing.pk}"


def receive(user: User, listing: Listing, *, name: str, file: BinaryIO) -> Upload:
    """A file that came in one request, as a complete upload. Errors as of `uploads.begin`."""
    upload = Upload(
        pk=new_id(), owner=user, listing=listing, name=names.check(name, names.IMAGE_CHARS), size=0
    )
    try:
        while data := file.read(storage.CHUNK_BYTES):
            storage.write_chunk(upload.pk, upload.size, data)
            upload.size += len(data)
        room.check_size(upload.size)
        upload.offset = upload.size
        upload.sha256 = storage.seal(upload.pk, upload.size)
        with locks.owner(user.pk):
            uploads.check_open_for_versions(listing)
            room.check(user, upload.size)
            upload.save(force_insert=True)
    except BaseException:
        storage.drop_upload(upload.pk)
        raise
    return upload


def _earlier(
    user: User, listing: Listing, request: VersionRequest, key: str | None, body: str
) -> Version | None:
    """What this request has led to already."""
    if version_id := once.done(user, key, _operation(listing), body):
        version = Version.objects.filter(pk=version_id).first()
        if version is None:
            raise conflict(
                "version_removed", "The version of this Idempotency-Key was deleted. Send a new key."
            )
        return version
    return Version.objects.filter(listing=listing, upload_id=request.upload).first()


def _check(request: VersionRequest) -> None:
    fields = {}
    if len(request.labels) > MAX_LABELS:
        fields["labels"] = [f"must be at most {MAX_LABELS}"]
    elif any(
        not label.strip() or len(label) > MAX_LABEL or not label.isprintable() for label in request.labels
    ):
        fields["labels"] = [f"must each be 1 to {MAX_LABEL} printable characters"]
    elif len(set(request.labels)) < len(request.labels):
        fields["labels"] = ["must all differ"]
    if request.architecture and not _ARCHITECTURE.fullmatch(request.architecture):
        fields["architecture"] = ["must be letters, digits and _"]
    if fields:
        raise invalid("invalid", "The version can't be made like that.", fields)


def _store(listing: Listing, upload: Upload, sha256: str, request: VersionRequest) -> Version:
    last = listing.versions.aggregate(n=Max("number"))["n"] or 0
    version = Version.objects.create(
        listing=listing,
        number=last + 1,
        upload_id=upload.pk,
        file_name=upload.name,
        bytes=upload.size,
        upload_sha256=sha256,
        labels=list(request.labels) or None,
        architecture=request.architecture,
        leased_until=leases.until(leases.ASK_AGAIN),
    )
    now = timezone.now()
    VersionStep.objects.bulk_create(
        VersionStep(version=version, position=position, name=name)
        for position, name in enumerate(VersionStep.Name.values)
    )
    VersionStep.objects.filter(version=version, name=VersionStep.Name.UPLOADED).update(
        status=VersionStep.Status.DONE, started=upload.created, finished=now
    )
    Upload.objects.filter(pk=upload.pk).delete()
    transaction.on_commit(lambda: tasks.enqueue(version.pk))
    return version
