"""An app on one photo, at once, on a preview server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from apps.accounts.models import User


@dataclass(frozen=True)
class Preview:
    """The preview server's answer, ready to hand on."""

    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)  # Server-Timing


def preview(
    user: User,
    app_id: str,
    *,
    upload: UploadedFile | None = None,
    image: str | None = None,
    params: dict[str, Any] | None = None,
    accept: str = "image/*",
) -> Preview:
    """Run the app on `upload` or on the drive image with id `image`: exactly one of them.

    `accept`: image/*, text/plain, text/html or application/json, as the Accept header names them.
    Errors as ApiError: 404 app or image, 413/422 photo or options, 429 `too_many`, 503
    `no_preview_server`, 504 `preview_timeout`.
    """
    raise NotImplementedError
