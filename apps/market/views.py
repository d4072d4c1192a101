"""The market's pages that show: what is for sale, one listing, a seller, what one has bought."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.catalog import access as catalog_access
from apps.catalog import queries as catalog_queries
from apps.catalog import serving
from apps.catalog.api import search
from apps.catalog.models import Family, Kind, Listing
from apps.catalog.queries import Search
from apps.market import access, queries
from apps.market.models import Report
from apps.market.services import downloads, reviews, tries
from marketplace.api import ApiError

PAGE_SIZE = 24
REVIEWS = 10
ORDER_WORDS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "popular": "Most bought",
    "rating": "Best rated",
    "price": "Lowest price",
}


@require_safe
def market(request: HttpRequest) -> HttpResponse:
    """What is for sale, for everybody. Every filter is in the address: see `catalog.api.search`."""
    found, wrong = search.lenient(request.GET)
    rows = catalog_queries.for_market(catalog_queries.published(found))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "search": found,
        "asked": {name: request.GET.get(name, "") for name in (*_FILTERS, "order")},
        "wrong": wrong,
        "filtered": any(request.GET.get(name, "").strip() for name in _FILTERS),
        "more": sum(bool(request.GET.get(name, "").strip()) for name in _FOLDED),
        "kinds": Kind.choices,
        "families": Family.choices,
        "orders": ORDER_WORDS.items(),
        "query": _query_without_page(request),
    }
    return render(request, "market/market.html", context)


_FOLDED = ("family", "price_min", "price_max", "rating_min", "created_after", "created_before")
_FILTERS = ("q", "kind", *_FOLDED)


@require_safe
def listing(request: HttpRequest, listing_id: str) -> HttpResponse:
    """Sample outputs, trying it, the measured card, words, reviews, versions, seller, licence."""
    return render(request, "market/listing.html", context_of(request, listing_id))


def context_of(request: HttpRequest, listing_id: str) -> dict[str, Any]:
    """Everything that the page of a listing shows."""
    one = catalog_queries.shown(request.user, listing_id)
    standing = queries.standing(request.user, one)
    logged_in = request.user.is_authenticated
    own_review = queries.review_by(request.user, one)
    return {
        "listing": one,
        "version": one.current_version,
        "versions": [v for v in one.versions.all() if v.status == "ready"],
        "standing": standing,
        "may_run": standing.runs and one.status != Listing.Status.TAKEN_DOWN,
        "may_try": one.status == Listing.Status.PUBLISHED and not standing.runs,
        "may_review": logged_in and reviews.may_review(request.user, one),
        "may_download": logged_in and one.current_version and downloads.may_download(request.user, one),
        "allowance": tries.allowance(request.user, one) if logged_in and not standing.runs else None,
        "free_previews": settings.FREE_PREVIEWS_PER_DAY,
        "photos": queries.recent_photos(request.user) if logged_in else [],
        "page": Paginator(queries.reviews_of(one), REVIEWS).get_page(request.GET.get("page")),
        "stars": queries.stars_of(one) if one.rating_count else [],
        "own_review": own_review,
        "causes": Report.Cause.choices,
        "history": queries.history_of(one) if request.user.is_staff else [],
        "max_bytes": settings.MAX_IMAGE_BYTES,
    }


@require_safe
def seller(request: HttpRequest, user_id: str) -> HttpResponse:
    """What somebody sells, for everybody."""
    person = access.seller_for(user_id)
    rows = catalog_queries.for_market(catalog_queries.published(Search(seller=person.pk)))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "market/seller.html", {"seller": queries.seller(person), "page": page})


@login_required
@require_safe
def bought(request: HttpRequest) -> HttpResponse:
    """What the user has bought, in whatever state it is now."""
    page = Paginator(queries.bought_by(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "market/bought.html", {"page": page})


@require_safe
def picture(request: HttpRequest, picture_id: str) -> HttpResponseBase:
    """?small=1 for lists."""
    found = catalog_access.picture_for(request.user, picture_id)
    return serving.picture(request, found, small=bool(request.GET.get("small")))


@require_safe
def sample(request: HttpRequest, version_id: str, number: int) -> HttpResponseBase:
    return serving.sample(request, catalog_access.version_for(request.user, version_id), number)


def say(error: ApiError) -> str:
    """A refusal in one line, with what is wrong where."""
    details = "; ".join(f"{name} {text}" for name, texts in error.fields.items() for text in texts)
    return f"{error.message} ({details})" if details and error.code == "invalid" else error.message


def _query_without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    for name in [name for name, value in query.items() if name == "page" or not value]:
        query.pop(name)
    return f"{query.urlencode()}&" if query else ""
