"""Whose token it is. Another person's is not there."""

from __future__ import annotations

from django.http import Http404

from apps.accounts.models import ApiToken, User
from marketplace.ids import is_id


def token_for(user: User, public_id: str) -> ApiToken:
    mine = ApiToken.objects.filter(user=user, public_id=public_id)
    found = mine.first() if is_id(public_id) else None
    if found is None:
        raise Http404("no such token")
    return found
