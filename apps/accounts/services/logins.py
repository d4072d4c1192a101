"""An e-mail address and a password, shown by a program. The limits are those of the log-in page."""

from __future__ import annotations

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.utils import has_verified_email
from allauth.core import ratelimit
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from rest_framework import status

from apps.accounts.models import User
from marketplace.api import ApiError, too_many

WAIT_IP = 60  # seconds: the windows of ACCOUNT_RATE_LIMITS, "login" and "login_failed"
WAIT_ACCOUNT = 300


def check(request: HttpRequest, email: str, password: str) -> User:
    """The user. 401 `not_authenticated` or `email_not_verified`, 429 `too_many`.

    Whether the address is known can't be told from the answer, nor from how long it takes.
    """
    if not ratelimit.consume(request, action="login"):
        raise too_many("Too many log-ins from this address. Wait a minute.", WAIT_IP)
    try:
        user = get_adapter(request).authenticate(request, email=email.strip().lower(), password=password)
    except ValidationError:
        raise too_many("Too many wrong passwords. Wait five minutes.", WAIT_ACCOUNT) from None
    if user is None or not user.is_active:
        raise _refused("not_authenticated", "The e-mail address or the password is wrong.")
    mandatory = app_settings.EmailVerificationMethod.MANDATORY
    if mandatory == app_settings.EMAIL_VERIFICATION and not has_verified_email(user):
        raise _refused("email_not_verified", "Confirm your e-mail address first: the link is in your mail.")
    return user


def _refused(code: str, message: str) -> ApiError:
    return ApiError(status.HTTP_401_UNAUTHORIZED, code, message)
