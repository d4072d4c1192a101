"""Where allauth asks what is so here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.services import tokens


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGNUP_OPEN

    def set_password(self, user: User, password: str) -> None:
        """Changed or reset: tokens made with the old password open nothing any more."""
        with transaction.atomic():
            super().set_password(user, password)
            tokens.revoke_by_password(user)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {"site_url": settings.BASE_URL, **context})
