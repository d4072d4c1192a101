"""The seller's side: what came in by day, and payouts."""

from __future__ import annotations

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.payments import queries
from apps.payments.chart import HEIGHT, WIDTH, draw
from apps.payments.models import Account, PayoutAccount
from apps.payments.services import payouts
from apps.payments.views import PAGE_SIZE, STRIPE_PAGES
from apps.payments.wording import price_of
from marketplace.api import ApiError
from marketplace.ids import new_id


@login_required
@csp_update(STRIPE_PAGES)
@require_safe
def earnings(request: HttpRequest) -> HttpResponse:
    rows = queries.entries_of(request.user, account=Account.Kind.EARNINGS)
    now = queries.balances(request.user)
    account = PayoutAccount.objects.filter(user=request.user, provider=settings.PAYMENTS).first()
    context = {
        "now": now,
        "worth": price_of(now.earnings),
        "chart": draw(queries.sales_by_day(request.user)),
        "size": {"width": WIDTH, "height": HEIGHT},
        "days": queries.DAYS,
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "payouts": queries.payouts_of(request.user)[:20],
        "account": account,
        "least": settings.PAYOUT_MIN,
        "can_pay_out": bool(
            account and account.ready and now.earnings >= settings.PAYOUT_MIN and not now.debt
        ),
        "fee": settings.PLATFORM_FEE_PERCENT,
        "payments": settings.PAYMENTS,
        "key": new_id(),
    }
    return render(request, "payments/earnings.html", context)


@login_required
@csp_update(STRIPE_PAGES)
@require_POST
def connect(request: HttpRequest) -> HttpResponse:
    page = settings.BASE_URL.rstrip("/") + reverse("earnings")
    try:
        connected = payouts.connect(request.user, page)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("earnings")
    if connected.url:
        return redirect(connected.url)
    messages.success(request, "Payouts can be sent to you.")
    return redirect("earnings")


@login_required
@require_POST
def payout(request: HttpRequest) -> HttpResponse:
    """`credits`, and `action`: out (to the bank) or wallet (to spend here)."""
    raw, key = request.POST.get("credits", ""), request.POST.get("key") or new_id()
    credits = int(raw) if raw.isdecimal() and len(raw) < 16 else 0
    try:
        if request.POST.get("action") == "wallet":
            payouts.to_wallet(request.user, credits=credits, key=key[:80])
            messages.success(request, f"{credits:,} credits are in your wallet.")
        else:
            payouts.request(request.user, credits=credits, key=key)
            messages.success(request, f"A payout of {credits:,} credits is on its way.")
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("earnings")
