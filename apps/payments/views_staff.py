"""Staff look up any transaction, and put things right by new entries. 404 for everyone else."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.payments import access, queries
from apps.payments.models import TopUp
from apps.payments.services import adjustments
from marketplace.api import ApiError
from marketplace.ids import new_id

PAGE_SIZE = 25


@login_required
@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    """?q= by transaction id, key, reference, provider's id, user id or e-mail."""
    access.staff_only(request.user)
    q = request.GET.get("q", "").strip()[:160].replace("\0", "")
    page = Paginator(queries.lookup(q), PAGE_SIZE).get_page(request.GET.get("page"))
    found = list(page.object_list)
    person = User.objects.filter(email__iexact=q).first() or User.objects.filter(pk=q).first() if q else None
    context = {
        "q": q,
        "page": page,
        "people": queries.people_of(found),
        "person": person,
        "now": queries.balances(person) if person else None,
        "topups": TopUp.objects.filter(pk=q)[:1] if q else [],
        "events": queries.events_to_look_at(),
        "totals": queries.totals(),
        "query": f"{urlencode({'q': q})}&" if q else "",
        "sandbox": settings.PAYMENTS == "sandbox",
        "key": new_id(),
    }
    return render(request, "payments/ledger.html", context)


@login_required
@require_POST
def adjust(request: HttpRequest) -> HttpResponse:
    access.staff_only(request.user)
    user = User.objects.filter(pk=request.POST.get("user", "")).first()
    if user is None:
        raise Http404
    raw = request.POST.get("credits", "").strip().replace("−", "-")
    digits = raw.removeprefix("-").removeprefix("+")
    credits = int(raw) if digits.isdecimal() and len(digits) < 12 else 0
    try:
        adjustments.adjust(
            request.user,
            user=user,
            credits=credits,
            reason=request.POST.get("reason", ""),
            key=request.POST.get("key") or new_id(),
        )
        messages.success(request, f"The wallet of {user} was adjusted by {credits:+,} credits.")
    except ApiError as error:
        details = "; ".join(f"{name} {text}" for name, texts in error.fields.items() for text in texts)
        messages.error(request, f"{error.message} {details}".strip())
    return redirect(f"{reverse('ledger')}?{urlencode({'q': user.email})}")
