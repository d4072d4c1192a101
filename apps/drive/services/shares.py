"""Read-only links to a folder, for anyone who has the address."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from apps.drive.models import Folder, ShareLink
from marketplace.api import invalid

LONGEST = 10 * 365 * 86400
MOST_PER_FOLDER = 50


def create(folder: Folder, expires_in: int | None = None) -> ShareLink:
    """A new link; `expires_in` seconds from now, None: until it is revoked. 422 `too_many_shares`."""
    if folder.shares.filter(revoked_at=None).count() >= MOST_PER_FOLDER:
        raise invalid("too_many_shares", f"A folder can have at most {MOST_PER_FOLDER} links.")
    expires = None if expires_in is None else timezone.now() + timedelta(seconds=expires_in)
    return ShareLink.objects.create(folder=folder, token=secrets.token_urlsafe(32), expires=expires)


def revoke(share: ShareLink) -> None:
    """It shows nothing from now on. Again is no error."""
    ShareLink.objects.filter(pk=share.pk, revoked_at=None).update(revoked_at=timezone.now())


def url(share: ShareLink) -> str:
    return settings.BASE_URL.rstrip("/") + reverse("share", args=[share.token])
