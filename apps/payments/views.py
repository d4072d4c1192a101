"""Pages of the wallet: balance and history, top-ups and their receipts, prices."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.models import User
from apps.payments import access, queries
from apps.payments.api import filters
from apps.payments.models import TopUp, Transaction
from apps.payments.services import topups
from apps.payments.wording import price_of
from apps.processing import catalog
from marketplace.api import ApiError

PAGE_SIZE = 30
PRESETS = (500, 1_000, 2_500, 5_000, 10_000)
# A form's answer that leads to another site counts as sending the form there.
STRIPE_PAGES = {"form-action": ["https://checkout.stripe.com", "https://connect.stripe.com"]}


@login_required
@require_safe
def wallet(request: HttpRequest) -> HttpResponse:
    """?kind=, ?from=, ?to= filter, ?page= turns."""
    chosen, wrong = _filters(request)
    rows = queries.entries_of(request.user, **chosen)
    context = {
        "now": queries.balances(request.user),
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "kinds": [(kind.value, kind.label) for kind in queries.WALLET_KINDS],
        "kind": chosen.get("kind", ""),
        "wrong": wrong,
        "filtered": any(request.GET.get(name) for name in ("kind", "from", "to")),
        "query": _query_without_page(request),
        "payments": settings.PAYMENTS,
        "latest": queries.topups_of(request.user)[:5],
    }
    return render(request, "payments/wallet.html", context)


@login_required
@require_safe
def wallet_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The history with the same filters, as a file."""
    chosen, wrong = _filters(request)
    if wrong:
        messages.error(request, wrong)
        return redirect("wallet")
    rows = queries.entries_of(request.user, **chosen)
    name = f"pixelyard-wallet-{timezone.localdate().isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)


class _Echo:
    def write(self, text: str) -> str:
        return text


def _csv(rows: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["time", "transaction", "kind", "credits", "balance", "reference", "reason"])
    for row in rows.iterator(chunk_size=500):
        one = row.transaction
        # A spreadsheet must not take a title that begins like a formula for one.
        reason = f"'{one.reason}" if one.reason[:1] in tuple("=+-@\t\r") and one.reason else one.reason
        yield writer.writerow(
            [
                row.created.isoformat(timespec="seconds"),
                one.pk,
                one.kind,
                row.amount,
                row.balance_after,
                one.reference,
                reason,
            ]
        )


def _filters(request: HttpRequest) -> tuple[dict[str, Any], str]:
    try:
        return filters(request.GET), ""
    except ApiError as error:
        return {}, f"{error.message} {'; '.join(text for texts in error.fields.values() for text in texts)}."


def _query_without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return f"{query.urlencode()}&" if query else ""


@login_required
@never_cache
@csp_update(STRIPE_PAGES)
@require_http_methods(["GET", "POST"])
def topup_new(request: HttpRequest) -> HttpResponse:
    """?credits= presets the amount (what is missing, rounded up to the least top-up), ?next= comes back."""
    error = ""
    raw = request.POST.get("credits") or request.GET.get("credits") or ""
    back = request.POST.get("next") or request.GET.get("next") or ""
    asked = int(raw) if raw.isdecimal() and len(raw) < 12 else None
    if request.method == "POST":
        try:
            topup = topups.create(
                request.user, credits=asked or 0, key=request.POST.get("key") or None, back=back
            )
            return redirect(topup.checkout_url)
        except ApiError as refusal:
            error = refusal.message
    low, high = settings.TOPUP_MIN, settings.TOPUP_MAX
    presets = [(one, price_of(one)) for one in PRESETS if low <= one <= high]
    context = {
        "error": error,
        "presets": presets,
        "credits": min(high, max(low, asked)) if asked else PRESETS[1],
        "low": low,
        "high": high,
        "one": price_of(1),
        "price_of_hundred": price_of(100),
        "back": topups.safe_path(back),
        "payments": settings.PAYMENTS,
        "now": queries.balances(request.user),
    }
    return render(request, "payments/topup_new.html", context, status=422 if error else 200)


@login_required
@never_cache
@require_safe
def topup_page(request: HttpRequest, topup_id: str) -> HttpResponse:
    """Where the provider sends people back to. It grants nothing: it waits for the webhook and says so."""
    topup = access.topup_for(request.user, topup_id)
    context = {
        "topup": topup,
        "cancelled": "cancelled" in request.GET and topup.status == TopUp.Status.OPEN,
        "waited": (timezone.now() - topup.created).total_seconds() > 900,
        "now": queries.balances(request.user),
        "disputes": topup.disputes.order_by("created"),
    }
    return render(request, "payments/topup.html", context)


@login_required
@require_safe
def receipt(request: HttpRequest, topup_id: str) -> HttpResponse:
    """A page to print, once it was paid."""
    topup = access.topup_for(request.user, topup_id)
    if topup.status != TopUp.Status.PAID:
        return redirect("topup", topup.pk)
    key = f"topup:{topup.pk}:grant"
    context = {"topup": topup, "transaction": Transaction.objects.filter(key=key).first()}
    return render(request, "payments/receipt.html", context)


@login_required
@require_safe
def prices(request: HttpRequest) -> HttpResponse:
    """What each app costs for one photo, and what can be bought."""
    context = {
        "apps": catalog.apps_for(_user(request)),
        "listings": queries.priced_listings(),
        "fee": settings.PLATFORM_FEE_PERCENT,
        "price_of_hundred": price_of(100),
    }
    return render(request, "payments/prices.html", context)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required
    return request.user
