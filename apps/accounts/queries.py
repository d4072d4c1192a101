"""Lists about accounts."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import ApiToken, User


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Newest first. Expired ones too: they say why a program stopped working."""
    return ApiToken.objects.filter(user=user).order_by("-created", "public_id")
