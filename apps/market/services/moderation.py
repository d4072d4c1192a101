"""Reports, and what staff do about them: dismiss, take down, put back. The seller may appeal.

Every step is a row that stays and a line in the log.
"""

from __future__ import annotations

import logging
import unicodedata

from django.db import transaction
from django.db.models.functions import Now
from django.http import Http404
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog import access
from apps.catalog.models import Listing
from apps.market.models import Moderation, Report
from marketplace.api import conflict, invalid
from marketplace.ids import is_id

log = logging.getLogger(__name__)

MAX_TEXT, MAX_REASON = 1000, 300
S = Listing.Status
Action = Moderation.Action


def report(user: User, listing_id: str, *, cause: str, text: str = "") -> Report:
    """Tell staff about a listing. 409 `own_listing`, `already_reported`, 422 `invalid`."""
    if cause not in Report.Cause.values:
        raise invalid("invalid", "Say what is wrong with it.", {"cause": ["is needed"]})
    text = _tidied("text", text, MAX_TEXT, needed=cause == Report.Cause.OTHER)
    listing = access.listing_for(user, listing_id)
    if access.sells(user, listing):
        raise conflict("own_listing", "It is your own listing. Withdraw it if it should not be here.")
    row = Report(listing=listing, reporter=user, cause=cause, text=text)
    Report.objects.bulk_create([row], ignore_conflicts=True)  # of two at once, one is kept
    if not Report.objects.filter(pk=row.pk).exists():
        raise conflict("already_reported", "You have reported this listing already. Staff will look at it.")
    log.info("listing %s reported by %s: %s", listing.pk, user.pk, cause)
    return row


def take_down(staff: User, listing_id: str, *, reason: str) -> Listing:
    """Off the market, and it runs for nobody any more. `reason` is shown to the seller and to buyers. Open
    reports are closed. 409 `taken_down` if it is already, `draft`."""
    _staff_only(staff)
    reason = _tidied("reason", reason, MAX_REASON, needed=True)
    with transaction.atomic():
        listing = _locked(listing_id)
        if listing.status == S.TAKEN_DOWN:
            raise conflict("taken_down", "It was taken down already.")
        if listing.status == S.DRAFT:
            raise conflict("draft", "A draft is its seller's alone; there is nothing to take down.")
        _note(staff, listing, Action.TAKE_DOWN, reason)
        _set(listing, S.TAKEN_DOWN, reason)
        _close_reports(listing, Report.Status.UPHELD)
    return listing


def restore(staff: User, listing_id: str, *, reason: str) -> Listing:
    """Back to what it was before, or withdrawn if that can't be. 409 `not_taken_down`."""
    _staff_only(staff)
    reason = _tidied("reason", reason, MAX_REASON, needed=True)
    with transaction.atomic():
        listing = _locked(listing_id)
        if listing.status != S.TAKEN_DOWN:
            raise conflict("not_taken_down", "It is not taken down.")
        last = listing.moderation.filter(action=Action.TAKE_DOWN).order_by("-created", "-pk").first()
        before = last.before if last and last.before in S.values else S.WITHDRAWN
        if before == S.PUBLISHED and (listing.seller_id is None or listing.current_version_id is None):
            before = S.WITHDRAWN
        _note(staff, listing, Action.RESTORE, reason)
        _set(listing, before, "")
    return listing


def dismiss(staff: User, listing_id: str, *, reason: str) -> int:
    """Close the open reports of a listing that may stay. How many they were."""
    _staff_only(staff)
    reason = _tidied("reason", reason, MAX_REASON, needed=True)
    with transaction.atomic():
        listing = _locked(listing_id)
        closed = _close_reports(listing, Report.Status.DISMISSED)
        if closed:
            _note(staff, listing, Action.DISMISS, reason)
    return closed


def appeal(seller: User, listing_id: str, *, text: str) -> None:
    """The seller answers a take-down, once for each. 409 `not_taken_down`, `already_appealed`."""
    text = _tidied("text", text, MAX_TEXT, needed=True)
    with transaction.atomic():
        listing = _locked(access.own_listing(seller, listing_id).pk)
        if listing.status != S.TAKEN_DOWN:
            raise conflict("not_taken_down", "It is not taken down, so there is nothing to appeal.")
        last = listing.moderation.order_by("-created", "-pk").first()
        if last and last.action == Action.APPEAL:
            raise conflict("already_appealed", "You have appealed already. Staff will look at it.")
        _note(seller, listing, Action.APPEAL, text)


def _staff_only(user: User) -> None:
    if not user.is_staff:
        raise Http404("There is nothing here.")


def _locked(listing_id: str) -> Listing:
    rows = Listing.objects.select_for_update(no_key=True).filter(pk=listing_id)
    listing = rows.first() if is_id(listing_id) else None
    if listing is None:
        raise Http404("There is no listing with this id.")
    return listing


def _set(listing: Listing, status: str, reason: str) -> None:
    Listing.objects.filter(pk=listing.pk).update(status=status, status_reason=reason, updated=Now())
    listing.status, listing.status_reason = status, reason


def _note(actor: User, listing: Listing, action: str, reason: str) -> None:
    Moderation.objects.create(
        listing=listing, actor=actor, action=action, reason=reason, before=listing.status
    )
    log.warning("moderation: %s of listing %s by %s: %s", action, listing.pk, actor.pk, reason)


def _close_reports(listing: Listing, status: str) -> int:
    return listing.reports.filter(status=Report.Status.OPEN).update(status=status, closed=timezone.now())


def _tidied(name: str, text: str, most: int, *, needed: bool) -> str:
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if needed and not text:
        raise invalid("invalid", "Say why.", {name: ["is needed"]})
    if len(text) > most:
        raise invalid("invalid", "That is too long.", {name: [f"must be at most {most} characters"]})
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in text):
        raise invalid("invalid", "That can't be shown.", {name: ["holds characters that can't be shown"]})
    return text
