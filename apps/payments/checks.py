"""Settings of money that would be a danger, refused before anything starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from apps.payments.providers.stripe import mode_of


@register()
def check_payments(app_configs: Any, **kwargs: Any) -> list[Error]:
    wrong = []
    if settings.TOPUP_MIN > settings.TOPUP_MAX:
        wrong.append(Error("TOPUP_MIN must not be above TOPUP_MAX", id="payments.E001"))
    if settings.PAYMENTS == "sandbox" and not settings.SANDBOX_ALLOWED:
        wrong.append(Error("PAYMENTS=sandbox is for DEBUG and for make run only", id="payments.E002"))
    if settings.PAYMENTS == "stripe":
        wrong += _stripe()
    return wrong


def _stripe() -> list[Error]:
    mode = mode_of(settings.STRIPE_SECRET_KEY)
    wrong = []
    if not mode:
        text = "STRIPE_SECRET_KEY must be a secret key: sk_test_… or sk_live_…"
        wrong.append(Error(text, id="payments.E003"))
    if mode == "live" and settings.DEBUG:
        wrong.append(Error("a live key of Stripe is refused with DEBUG", id="payments.E004"))
    if not settings.STRIPE_WEBHOOK_SECRET:
        wrong.append(Error("STRIPE_WEBHOOK_SECRET is missing: no top-up could arrive", id="payments.E005"))
    return wrong
