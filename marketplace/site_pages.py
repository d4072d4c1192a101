"""Pages of the site as a whole."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What this is, for people who are logged out; everyone else starts in the drive."""
    if request.user.is_authenticated:
        return redirect("/drive/")
    return render(request, "landing.html")
