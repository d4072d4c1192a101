"""API tokens: made, shown once, revoked. What is kept is a hash."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import ApiToken, User
from marketplace.api import conflict, invalid

MAX_TOKENS = 50  # of one user
MAX_BY_PASSWORD = 20  # a program that logs in again and again must not fill the list


def create(user: User, name: str, days: int | None = None) -> tuple[ApiToken, str]:
    """The row, and the token itself: the only time that it is known. `days` None: no expiry.

    422 `invalid` for a name of no characters or over 80; 409 `too_many_tokens`.
    """
    name = name.strip()
    if not name or len(name) > 80:
        raise invalid(
            "invalid", "A token needs a name of 1 to 80 characters.", {"name": ["1 to 80 characters"]}
        )
    with transaction.atomic():
        _forget_expired(user)
        if ApiToken.objects.filter(user=user, by_password=False).count() >= MAX_TOKENS:
            raise conflict("too_many_tokens", f"There are {MAX_TOKENS} tokens already: revoke one first.")
        return ApiToken.objects.create(user, expiry=_days(days), name=name)


def create_by_password(user: User) -> tuple[ApiToken, str]:
    """For a program that has just shown the password. Of these, the newest MAX_BY_PASSWORD are kept."""
    with transaction.atomic():
        _forget_expired(user)
        mine = ApiToken.objects.filter(user=user, by_password=True).order_by("-created")
        too_old = list(mine.values_list("digest", flat=True)[MAX_BY_PASSWORD - 1 :])
        ApiToken.objects.filter(digest__in=too_old).delete()
        expiry = _days(settings.API_TOKEN_DAYS)
        return ApiToken.objects.create(user, expiry=expiry, name="Made with the password", by_password=True)


def revoke(token: ApiToken) -> None:
    """From now on it opens nothing. Again is no error."""
    ApiToken.objects.filter(digest=token.digest).delete()


def revoke_by_password(user: User) -> int:
    """For a password that is no more: whoever knew it may hold a token made with it. How many there were."""
    return ApiToken.objects.filter(user=user, by_password=True).delete()[0]


def revoke_all(user: User) -> int:
    return ApiToken.objects.filter(user=user).delete()[0]


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _forget_expired(user: User) -> None:
    ApiToken.objects.filter(Q(expiry__lte=timezone.now()), user=user).delete()
