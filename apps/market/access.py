"""Who may see what of the market. What is not a user's to see is 404, as if it were not there."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from apps.accounts.models import User
from apps.catalog.models import Listing
from marketplace.ids import is_id


def staff_only(user: User | AnonymousUser) -> None:
    if not user.is_staff:
        raise Http404("There is nothing here.")


def seller_for(user_id: str) -> User:
    """Somebody who sells or has sold here."""
    offered = [Listing.Status.PUBLISHED, Listing.Status.WITHDRAWN]
    rows = User.objects.filter(pk=user_id, is_active=True, listings__status__in=offered)
    found = rows.distinct().first() if is_id(user_id) else None
    if found is None:
        raise Http404("Nobody sells here under this id.")
    return found
