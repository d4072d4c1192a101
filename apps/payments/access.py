"""Whose it is. Another person's is not there."""

from __future__ import annotations

from django.http import Http404

from apps.accounts.models import User
from apps.payments.models import TopUp
from marketplace.ids import is_id


def topup_for(user: User, topup_id: str) -> TopUp:
    found = TopUp.objects.filter(user=user, pk=topup_id).first() if is_id(topup_id) else None
    if found is None:
        raise Http404("There is no top-up with this id.")
    return found


def staff_only(user: User) -> None:
    """404 for everyone else: that there is such a page is nobody's business."""
    if not user.is_staff:
        raise Http404
