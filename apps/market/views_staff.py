"""The staff's queue: what was reported, what is down, what was done. 404 for everyone else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.market import access, queries
from apps.market.services import moderation
from apps.market.views import say
from marketplace.api import ApiError

PAGE_SIZE = 20
ACTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "take_down": (moderation.take_down, "It is off the market and runs for nobody."),
    "restore": (moderation.restore, "It is back."),
    "dismiss": (moderation.dismiss, "Its reports are closed; it stays."),
}


@login_required
@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    access.staff_only(request.user)
    page = Paginator(queries.reported(), PAGE_SIZE).get_page(request.GET.get("page"))
    listings = list(page.object_list)
    found = queries.reports_of(listings)
    context = {
        "page": page,
        "queue": [(listing, found.get(listing.pk, [])) for listing in listings],
        "down": queries.taken_down()[:PAGE_SIZE],
        "log": queries.last_actions(),
    }
    return render(request, "market/reports.html", context)


@login_required
@require_POST
def moderate(request: HttpRequest, listing_id: str) -> HttpResponse:
    """?action= take_down, restore or dismiss, each with a reason."""
    access.staff_only(request.user)
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        raise Http404("There is no such action.")
    try:
        action[0](request.user, listing_id, reason=request.POST.get("reason", ""))
    except ApiError as error:
        messages.error(request, say(error))
    else:
        messages.success(request, action[1])
    return redirect("market-reports")
