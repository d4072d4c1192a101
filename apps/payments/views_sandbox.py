"""The sandbox's page to pay on. It has no power of its own: it makes the provider call our webhook."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.payments import access
from apps.payments.models import TopUp
from apps.payments.providers import sandbox
from apps.payments.providers.base import ProviderError
from marketplace import sandbox_gate


def _refuse_elsewhere(request: HttpRequest) -> None:
    """404 unless test money may exist here, and the request came to this very machine."""
    name = urlsplit(f"//{request.get_host()}").hostname or ""
    here = settings.DEBUG or sandbox_gate.is_local(name)
    if settings.PAYMENTS != "sandbox" or not settings.SANDBOX_ALLOWED or not here:
        raise Http404


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def checkout(request: HttpRequest, topup_id: str) -> HttpResponse:
    """GET: looks like a checkout. POST `action`: pay, decline, or cancel."""
    _refuse_elsewhere(request)
    topup = access.topup_for(request.user, topup_id)
    if topup.provider != "sandbox":
        raise Http404
    if request.method == "POST":
        return _act(request, topup)
    if topup.status != TopUp.Status.OPEN:
        return redirect("topup", topup.pk)
    return render(request, "payments/sandbox.html", {"topup": topup})


def _act(request: HttpRequest, topup: TopUp) -> HttpResponse:
    action = request.POST.get("action")
    page = reverse("topup", args=[topup.pk])
    try:
        if action == "pay":
            sandbox.deliver(sandbox.session_event(topup))
        elif action == "decline":
            sandbox.deliver(sandbox.session_event(topup, "async_payment_failed", "unpaid"))
        else:
            return redirect(f"{page}?cancelled=1")
    except ProviderError as error:
        messages.error(request, f"{error} Nothing was charged; try again.")
        return redirect("sandbox-checkout", topup.pk)
    return redirect(page)


@login_required
@require_POST
def event(request: HttpRequest, topup_id: str) -> HttpResponse:
    """Staff: play a refund or a dispute of somebody's test payment."""
    access.staff_only(request.user)
    _refuse_elsewhere(request)
    topup = TopUp.objects.filter(pk=topup_id, provider="sandbox", status=TopUp.Status.PAID).first()
    if topup is None:
        raise Http404
    events = {
        "refund": lambda: sandbox.refund_event(topup, topup.amount),
        "dispute": lambda: sandbox.dispute_event(topup, "created", "needs_response"),
        "won": lambda: sandbox.dispute_event(topup, "closed", "won"),
        "lost": lambda: sandbox.dispute_event(topup, "closed", "lost"),
    }
    chosen = events.get(request.POST.get("what", ""))
    if chosen is None:
        raise Http404
    try:
        sandbox.deliver(chosen())
        messages.success(request, "The event was delivered.")
    except ProviderError as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('ledger')}?q={topup.pk}")
