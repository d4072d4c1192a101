"""What people do on a listing's page: try, buy, download, review, report, appeal."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.catalog import access as catalog_access
from apps.catalog.models import Listing
from apps.market import queries
from apps.market.models import Report
from apps.market.services import downloads, moderation, reviews, tries
from apps.market.views import context_of, say
from apps.payments import queries as money
from apps.payments.services import purchases
from marketplace.api import ApiError, invalid
from marketplace.ids import new_id


@login_required
@require_http_methods(["GET", "POST"])
def try_out(request: HttpRequest, listing_id: str) -> HttpResponse:
    """One photo, at once: an upload, or one of the drive. htmx gets the result alone, others the whole page.

    GET is where logging in leads back to: the listing's page.
    """
    if request.method == "GET":
        return redirect(_page(listing_id, "try"))
    image = request.POST.get("image", "") or None
    upload = request.FILES.get("file")
    outcome: dict[str, Any] = {"image": image if upload is None else None}
    status = 200
    try:
        tried = tries.try_out(
            request.user, listing_id, upload=upload, image=None if upload is not None else image
        )
    except ApiError as error:
        outcome["error"], status = say(error), error.status_code
        outcome["wakes"] = error.wait if error.code == "waking_up" else None  # seconds to wait
    else:
        outcome |= _shown(tried.preview.body) | {"free": tried.allowance is not None}
    context = context_of(request, listing_id) | {"outcome": outcome}
    if request.htmx:  # type: ignore[attr-defined]
        response = render(request, "market/try_result.html", context)  # htmx swaps in what is 200
    else:
        response = render(request, "market/listing.html", context, status=status)
    response["Cache-Control"] = "no-store"
    if outcome.get("wakes"):
        response["Retry-After"] = str(outcome["wakes"])
    return response


def _shown(body: bytes) -> dict[str, Any]:
    """A preview's JSON as the page shows it: a picture, how many of what, the likeliest classes."""
    answer = json.loads(body)
    picture, data = answer.get("image"), answer.get("data") or {}
    counts = data.get("counts") or {}
    return {
        "picture": f"data:{picture['content_type']};base64,{picture['base64']}" if picture else "",
        "counts": sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])),
        "nothing": "detections" in data and not data["detections"],
        "top": [(one["label"], one["confidence"], f"{100 * one['confidence']:.1f}%") for one in _top(data)],
        "ms": (answer.get("timings") or {}).get("total_ms"),
    }


def _top(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in data.get("top") or [] if "label" in one and "confidence" in one]


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def buy(request: HttpRequest, listing_id: str) -> HttpResponse:
    """Price, balance after, licence; then the purchase. What is missing leads to a top-up and back here."""
    try:
        listing = catalog_access.listing_for(request.user, listing_id)
    except Http404:
        # Withdrawn between seeing and buying: said on the page, not as an unknown address.
        gone = Listing.objects.exclude(status=Listing.Status.DRAFT).filter(pk=listing_id).first()
        if request.method == "GET" or gone is None:
            raise
        listing = gone
    refusal: ApiError | None = None
    if request.method == "POST":
        raw = request.POST.get("price", "")
        try:
            if not (raw.isascii() and raw.isdigit() and len(raw) < 13):
                raise invalid("invalid", "Say which price you were shown. Nothing was charged.")
            purchases.purchase(
                request.user,
                listing_id,
                expected_price=int(raw),
                key=request.POST.get("key") or None,
            )
        except ApiError as error:
            refusal = error
            listing.refresh_from_db()
        else:
            messages.success(request, f"{listing.title} is yours to run. It is in the studio.")
            return redirect("market-listing", listing_id)
    context = _offer(request, listing) | {"refusal": refusal, "key": new_id()}
    return render(request, "market/buy.html", context, status=refusal.status_code if refusal else 200)


def _offer(request: HttpRequest, listing: Listing) -> dict[str, Any]:
    now = money.balances(request.user)
    missing = max(0, listing.price - now.balance)
    here = reverse("market-buy", args=[listing.pk])
    return {
        "listing": listing,
        "standing": queries.standing(request.user, listing),
        "now": now,
        "after": now.balance - listing.price,
        "missing": missing,
        "topup": f"{reverse('topup-new')}?{urlencode({'credits': missing, 'next': here})}",
    }


@login_required
@require_POST
def download(request: HttpRequest, listing_id: str) -> HttpResponse:
    """A fresh link, followed at once."""
    return redirect(downloads.link(request.user, listing_id).url)


@require_safe
def file(request: HttpRequest, token: str) -> HttpResponseBase:
    """The weights behind a signed link; no session needed. Text for programs when it leads nowhere."""
    try:
        found = downloads.open_link(token)
    except ApiError as error:
        return HttpResponse(f"{error.message}\n", status=error.status_code, content_type="text/plain")
    response = FileResponse(
        found.path.open("rb"),
        as_attachment=True,
        filename=found.name,
        content_type="application/octet-stream",
    )
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_POST
def review(request: HttpRequest, listing_id: str) -> HttpResponse:
    stars = request.POST.get("stars", "")
    try:
        reviews.write(
            request.user,
            listing_id,
            stars=int(stars) if stars.isascii() and stars.isdigit() and len(stars) == 1 else 0,
            text=request.POST.get("text", ""),
        )
    except ApiError as error:
        messages.error(request, say(error))
    else:
        messages.success(request, "Your review is there.")
    return redirect(_page(listing_id, "reviews"))


@login_required
@require_POST
def review_delete(request: HttpRequest, listing_id: str) -> HttpResponse:
    reviews.remove(request.user, listing_id)
    messages.success(request, "Your review is gone.")
    return redirect(_page(listing_id, "reviews"))


@login_required
@require_http_methods(["GET", "POST"])
def report(request: HttpRequest, listing_id: str) -> HttpResponse:
    listing = catalog_access.listing_for(request.user, listing_id)
    context: dict[str, Any] = {"listing": listing, "causes": Report.Cause.choices}
    if request.method == "POST":
        cause, text = request.POST.get("cause", ""), request.POST.get("text", "")
        try:
            moderation.report(request.user, listing_id, cause=cause, text=text)
        except ApiError as error:
            context |= {"error": say(error), "cause": cause, "text": text}
            return render(request, "market/report.html", context, status=error.status_code)
        messages.success(request, "Staff will look at it. Nobody else sees your report.")
        return redirect("market-listing", listing_id)
    return render(request, "market/report.html", context)


@login_required
@require_POST
def appeal(request: HttpRequest, listing_id: str) -> HttpResponse:
    try:
        moderation.appeal(request.user, listing_id, text=request.POST.get("text", ""))
    except ApiError as error:
        messages.error(request, say(error))
    else:
        messages.success(request, "Your appeal is with the staff.")
    return redirect("sell-listing", listing_id)


def _page(listing_id: str, part: str) -> str:
    return f"{reverse('market-listing', args=[listing_id])}#{part}"
