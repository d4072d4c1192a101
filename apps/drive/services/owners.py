"""An account ends."""

from __future__ import annotations

import shutil

from django.db import transaction

from apps.drive import storage
from apps.drive.models import Folder, Image


def delete_all(user_id: str) -> None:
    """Every folder, photo, share and byte of a user. Call it before the user's row goes; again is no error.

    The bytes go when the transaction commits; if that is cut off, a later purge finds that they have no
    owner.
    """
    with transaction.atomic():
        Image.objects.filter(owner_id=user_id).delete()
        Folder.objects.filter(owner_id=user_id).delete()
        transaction.on_commit(lambda: _delete_bytes(user_id), robust=True)


def _delete_bytes(user_id: str) -> None:
    storage.blob_path(user_id, "0" * 64)  # refuses what is no user's id
    for folder in (storage.drive_dir(), storage.thumbs_dir(), storage.cache_dir()):
        shutil.rmtree(folder / user_id, ignore_errors=True)
