"""How much an owner may keep. The sum over rows is the truth; there is no counter that could drift.

Every row counts with its bytes, also the second row of the same bytes, and what is in the trash.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Sum

from apps.accounts.models import User
from apps.drive.models import Image
from marketplace.api import ApiError, too_large


@dataclass(frozen=True)
class Usage:
    used: int  # bytes
    limit: int

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // self.limit) if self.limit else 100

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


def usage(user: User) -> Usage:
    total = Image.objects.filter(owner=user).aggregate(a=Sum("bytes"), b=Sum("attached_bytes"))
    limit = settings.QUOTA_BYTES if user.quota_bytes is None else user.quota_bytes
    return Usage((total["a"] or 0) + (total["b"] or 0), limit)


def check(user: User, more: int) -> None:
    """413 `quota_exceeded` if `more` bytes don't fit. Hold the owner's lock until they are stored."""
    now = usage(user)
    if now.used + more > now.limit:
        raise exceeded(now, more)


def exceeded(now: Usage, more: int) -> ApiError:
    """The answer to a file of `more` bytes."""
    return too_large(
        "quota_exceeded",
        f"The drive is full: {now.used / 1e9:.2f} of {now.limit / 1e9:.2f} GB are used and this file needs "
        f"{more / 1e6:.1f} MB more. Deleting photos for good, or emptying the trash, makes room.",
    )
