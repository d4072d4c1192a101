"""Payment providers: one file each, a contract test over all of them (tests/payments/test_providers.py)."""

from __future__ import annotations

from django.conf import settings

from apps.payments.providers.base import Provider
from marketplace.api import ApiError


def current() -> Provider:
    """The provider that this installation uses. 409 `payments_off` without one.

    Asked at every use, not once at the start: what must not be used can't be, whatever was checked before.
    """
    if settings.PAYMENTS == "stripe":
        from apps.payments.providers.stripe import StripeProvider

        return StripeProvider()
    if settings.PAYMENTS == "sandbox" and settings.SANDBOX_ALLOWED:
        from apps.payments.providers.sandbox import SandboxProvider

        return SandboxProvider()
    raise ApiError(409, "payments_off", "Payments are switched off here. Nothing was charged.")
