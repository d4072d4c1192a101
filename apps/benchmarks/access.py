"""Who may do what: everyone who is logged in reads, staff change."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from apps.accounts.models import User
from apps.benchmarks.models import BenchmarkRun
from marketplace.ids import is_id


def require_staff(user: User | AnonymousUser) -> None:
    if not user.is_staff:
        raise PermissionDenied("Only staff may start, cancel or delete benchmarks.")


def run_for(user: User, run_id: str) -> BenchmarkRun:
    """A run, for anyone who is logged in."""
    found = BenchmarkRun.objects.select_related("owner").filter(pk=run_id).first() if is_id(run_id) else None
    if found is None:
        raise Http404("There is no benchmark under this id.")
    return found
