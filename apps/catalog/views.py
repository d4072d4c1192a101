"""The sell pages: a seller's listings, and one listing from the upload to the market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.catalog import access, queries
from apps.catalog.forms import ListingForm, NewListing
from apps.catalog.models import Listing, Version
from apps.catalog.services import listings, pictures
from apps.catalog.services.leases import IN_HAND
from marketplace.api import ApiError

PAGE_SIZE = 24


@login_required
@require_safe
def sell(request: HttpRequest) -> HttpResponse:
    """Everything the user sells, or is about to."""
    page = Paginator(queries.of_seller(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "catalog/sell.html", {"page": page})


@login_required
@require_http_methods(["GET", "POST"])
def sell_new(request: HttpRequest) -> HttpResponse:
    form = NewListing(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            listing = listings.create(request.user, **form.cleaned_data)
        except ApiError as error:
            _show(form, error)
        else:
            return redirect("sell-listing", listing.pk)
    return render(request, "catalog/sell_new.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def sell_listing(request: HttpRequest, listing_id: str) -> HttpResponse:
    """One listing: its weights, words, price and pictures. POST changes words and price."""
    listing = access.own_listing(request.user, listing_id)
    form = ListingForm(request.POST) if request.method == "POST" else ListingForm.of(listing)
    if request.method == "POST" and form.is_valid():
        try:
            listings.change(request.user, listing.pk, **form.cleaned_data)
        except ApiError as error:
            _show(form, error)
        else:
            messages.success(request, "The listing is saved.")
            return redirect("sell-listing", listing.pk)
    context = _context(request, listing_id) | {"form": form}
    return render(request, "catalog/sell_listing.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def sell_live(request: HttpRequest, listing_id: str) -> HttpResponse:
    """What of the page changes by itself: the steps of intake, and what they lead to."""
    access.own_listing(request.user, listing_id)
    response = render(request, "catalog/sell_live.html", _context(request, listing_id) | {"live": True})
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def sell_publish(request: HttpRequest, listing_id: str) -> HttpResponse:
    return _act(request, listing_id, listings.publish, "It is on the market.")


@login_required
@require_POST
def sell_withdraw(request: HttpRequest, listing_id: str) -> HttpResponse:
    text = "It is off the market. Who bought it keeps it; you can publish it again."
    return _act(request, listing_id, listings.withdraw, text)


@login_required
@require_POST
def sell_delete(request: HttpRequest, listing_id: str) -> HttpResponse:
    try:
        listings.remove(request.user, listing_id)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("sell-listing", listing_id)
    messages.success(request, "The listing is deleted, with its weights.")
    return redirect("sell")


@login_required
@require_POST
def sell_pictures(request: HttpRequest, listing_id: str) -> HttpResponse:
    """Add pictures; each that can't be kept is said with its reason."""
    listing = access.own_listing(request.user, listing_id)
    files = request.FILES.getlist("files")
    for file in files:
        try:
            pictures.add(request.user, listing, file)
        except ApiError as error:
            messages.error(request, f"{file.name}: {error.message}")
    if not files:
        messages.error(request, "No picture was chosen.")
    return redirect("sell-listing", listing_id)


@login_required
@require_POST
def sell_picture_remove(request: HttpRequest, picture_id: str) -> HttpResponse:
    listing_id = access.own_picture(request.user, picture_id).listing_id
    pictures.remove(request.user, picture_id)
    return redirect("sell-listing", listing_id)


def _act(
    request: HttpRequest, listing_id: str, action: Callable[[Any, str], Listing], said: str
) -> HttpResponse:
    try:
        action(request.user, listing_id)
    except ApiError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
    return redirect("sell-listing", listing_id)


def _show(form: NewListing | ListingForm, error: ApiError) -> None:
    """A service's refusal at the fields of the form."""
    for name, texts in error.fields.items():
        form.add_error(name if name in form.fields else None, list(texts))
    if not error.fields:
        form.add_error(None, error.message)


def _context(request: HttpRequest, listing_id: str) -> dict[str, Any]:
    listing = queries.shown(request.user, listing_id)
    versions = list(listing.versions.all())
    in_hand = [version for version in versions if version.status in IN_HAND]
    return {
        "listing": listing,
        "versions": versions,
        "in_hand": bool(in_hand),
        "version": listing.current_version,
        "uploads": queries.open_uploads(request.user, listing),
        "todo": _todo(listing, versions),
        "max_bytes": settings.MAX_WEIGHTS_BYTES,
        "most_pictures": pictures.MOST,
    }


def _todo(listing: Listing, versions: list[Version]) -> list[tuple[str, bool, str]]:
    """(what, whether it is done, where on the page)."""
    ready = listing.current_version_id is not None
    return [
        ("Upload weights", bool(versions), "#weights"),
        ("Weights are measured", ready, "#weights"),
        ("Describe them", bool(listing.description.strip()), "#words"),
        ("Add pictures (if you like)", bool(listing.pictures.all()), "#pictures"),
        ("Publish", listing.status == Listing.Status.PUBLISHED, "#sell-state"),
    ]
