"""Template tags of the money pages: `{% load payments_pages %}`."""

from __future__ import annotations

from django import template
from django.urls import reverse

from apps.payments import wording
from apps.payments.models import Payout, TopUp

register = template.Library()


@register.filter
def signed(amount: int) -> str:
    """`+1,200`, `−40` with a real minus."""
    return f"{amount:+,}".replace("-", "−")


@register.filter
def in_money(row: TopUp | Payout) -> str:
    return wording.money(row.amount, row.currency)


@register.filter
def credits_in_money(credits: int) -> str:
    return wording.price_of(credits)


@register.filter
def about(reference: str) -> str:
    """The page that a transaction's reference leads to; empty where there is none."""
    kind, _, key = reference.partition(":")
    if kind == "job" and key:
        return reverse("job", args=[key])
    if kind == "topup" and key:
        return reverse("topup", args=[key])
    return ""


@register.filter
def hundredfold(credits: int) -> int:
    return 100 * credits


@register.filter
def of_id(names: dict[str, str], key: str) -> str:
    return names.get(key, "")
