"""Whose token it is. Another person's is not there."""

from __future__ import annotations

from django.http import Http404

from apps.accounts.models import ApiToken, User


def token_for(user: User, public_id: str) -> ApiToken:
    found = ApiToken.objects.filter(user=user, public_id=public_id).first()
    if found is None:
        raise Http404("no such token")
    return found
