"""The cast: alice owns things, bob is another user, charlie is logged out, staff run the place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from tests.platform_fixture import platform  # noqa: F401 - a fixture

PASSWORD = "a-long-test-password-7"


@pytest.fixture(autouse=True)
def _isolated(settings, tmp_path: Path):
    """Each test has its own data folder and cache, and no password hash costs more than it must."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = settings.DATA_DIR / "drive" / ".incoming"
    cache = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(tmp_path)}
    settings.CACHES = {"default": cache}
    settings.WHITENOISE_AUTOREFRESH = True  # static files are served from where they are written
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def _user(email: str, **fields) -> User:
    user = User.objects.create_user(email, PASSWORD, **fields)
    user.emailaddress_set.create(email=email, verified=True, primary=True)
    return user


@pytest.fixture
def alice(db) -> User:
    return _user("alice@example.org", name="Alice")


@pytest.fixture
def bob(db) -> User:
    return _user("bob@example.org", name="Bob")


@pytest.fixture
def staff(db) -> User:
    return _user("staff@example.org", name="Staff", is_staff=True)


def _api(user: User | None) -> APIClient:
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


@pytest.fixture
def alice_api(alice) -> APIClient:
    return _api(alice)


@pytest.fixture
def bob_api(bob) -> APIClient:
    return _api(bob)


@pytest.fixture
def charlie_api(db) -> APIClient:
    return _api(None)


@pytest.fixture
def staff_api(staff) -> APIClient:
    return _api(staff)


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """For tests that call the WSGI application themselves: the end of a request must not close the connection
    that the test's transaction lives on. (Django's own test client sees to that.)"""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def _browser(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def alice_web(alice) -> Client:
    return _browser(alice)


@pytest.fixture
def bob_web(bob) -> Client:
    return _browser(bob)


@pytest.fixture
def charlie_web(db) -> Client:
    return _browser(None)


@pytest.fixture
def staff_web(staff) -> Client:
    return _browser(staff)
