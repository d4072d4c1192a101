"""Money in words and figures, for pages and receipts."""

from __future__ import annotations

from django.conf import settings

# Currencies whose smallest unit is the unit itself, of those that Stripe takes.
_WHOLE = frozenset(
    {
        *("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"),
        *("pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"),
    }
)


def money(amount: int, currency: str) -> str:
    """`12.50 EUR` from the smallest unit."""
    if currency in _WHOLE:
        return f"{amount:,} {currency.upper()}"
    return f"{amount // 100:,}.{amount % 100:02} {currency.upper()}"


def price_of(credits: int) -> str:
    return money(credits * settings.CREDIT_PRICE, settings.PAYMENT_CURRENCY)
