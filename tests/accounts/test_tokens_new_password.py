"""A new password ends the tokens that the old one made; the others are the person's own to end."""

from __future__ import annotations

import re

import pytest
from django.core import mail

from apps.accounts.models import ApiToken
from apps.accounts.services import tokens
from tests.conftest import PASSWORD

NEW = "another-long-password-8"


@pytest.fixture
def named(alice, bob) -> set[str]:
    """The names of what must stay; there is one of Alice's that must not."""
    tokens.create(alice, "backup script")
    tokens.create_by_password(bob)
    made, _ = tokens.create_by_password(alice)
    return set(ApiToken.objects.exclude(pk=made.pk).values_list("digest", flat=True))


def _kept() -> set[str]:
    return set(ApiToken.objects.values_list("digest", flat=True))


def _log_in(client):
    client.post("/account/login/", {"login": "alice@example.org", "password": PASSWORD})


def test_reset_revokes_them(alice, charlie_web, named):
    charlie_web.post("/account/password/reset/", {"email": "alice@example.org"})
    link = re.search(r"http://testserver(/\S+)", mail.outbox[-1].body).group(1)
    form = charlie_web.get(link)["Location"]
    assert len(_kept()) == 3  # asking for it, which anyone can, ends nothing

    charlie_web.post(form, {"password1": NEW, "password2": NEW})

    assert _kept() == named


def test_change_revokes_them(alice, charlie_web, named):
    _log_in(charlie_web)

    charlie_web.post(
        "/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    )

    assert _kept() == named


def test_refused_change_revokes_none(alice, charlie_web, named):
    _log_in(charlie_web)

    charlie_web.post(
        "/account/password/change/", {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    )

    assert len(_kept()) == 3


def test_tokens_page_tells_about_the_others(alice_web, named):
    page = alice_web.get("/account/tokens/").content.decode()

    assert "A new password revokes the tokens that programs made with the old one" in page
    assert "backup script" in page
