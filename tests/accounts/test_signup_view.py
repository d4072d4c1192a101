"""Sign up, log in, log out, reset, change: as a browser does it."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.urls import reverse

from apps.accounts.models import User
from tests.conftest import PASSWORD

NEW = "another-long-password-8"


def _link() -> str:
    """The path of the link in the last mail."""
    found = re.search(r"http://testserver(/\S+)", mail.outbox[-1].body)
    assert found, mail.outbox[-1].body
    return found.group(1)


def test_sign_up_logs_in_and_leads_to_the_drive(charlie_web):
    response = charlie_web.post("/account/signup/", {"email": "Dora@Example.org", "password1": PASSWORD})

    assert response.status_code == 302
    assert response["Location"] == "/drive/"
    user = User.objects.get()
    assert user.email == "dora@example.org"
    assert charlie_web.session["_auth_user_id"] == user.pk
    assert [message.subject for message in mail.outbox] == ["Confirm your address for Pixelyard"]


def test_address_is_confirmed_by_the_link_and_a_button(charlie_web):
    charlie_web.post("/account/signup/", {"email": "dora@example.org", "password1": PASSWORD})
    link = _link()

    shown = charlie_web.get(link)
    before = User.objects.get().emailaddress_set.get().verified
    charlie_web.post(link)

    assert shown.status_code == 200
    assert before is False  # opening the link, as mail scanners do, is not enough
    assert User.objects.get().emailaddress_set.get().verified is True


@pytest.mark.parametrize("password", ["short", "12345678901234", "password", "dora@example.org"])
def test_weak_password_is_refused(charlie_web, password):
    response = charlie_web.post("/account/signup/", {"email": "dora@example.org", "password1": password})

    assert response.status_code == 200
    assert "field__error" in response.content.decode()
    assert not User.objects.exists()


def test_second_account_with_the_same_address_is_not_made(alice, charlie_web):
    charlie_web.post("/account/signup/", {"email": "ALICE@example.org", "password1": NEW})

    assert User.objects.count() == 1
    assert User.objects.get().check_password(PASSWORD)
    assert "_auth_user_id" not in charlie_web.session


def test_closed_sign_up_makes_no_account(charlie_web, settings):
    settings.SIGNUP_OPEN = False

    response = charlie_web.post("/account/signup/", {"email": "dora@example.org", "password1": PASSWORD})

    assert "takes no new accounts" in response.content.decode()
    assert not User.objects.exists()


def test_mandatory_verification_keeps_the_unconfirmed_out(charlie_web, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"

    response = charlie_web.post("/account/signup/", {"email": "dora@example.org", "password1": PASSWORD})

    assert response["Location"] == "/account/confirm-email/"
    assert charlie_web.get("/drive/").status_code == 302


def test_log_in_and_out(alice, charlie_web):
    response = charlie_web.post("/account/login/", {"login": "Alice@Example.ORG", "password": PASSWORD})
    inside = charlie_web.get("/account/").status_code
    charlie_web.post("/account/logout/")

    assert response["Location"] == "/drive/"
    assert inside == 200
    assert charlie_web.get("/account/").status_code == 302


def test_log_out_by_a_link_only_asks(alice_web):
    response = alice_web.get("/account/logout/")

    assert response.status_code == 200
    assert alice_web.get("/account/").status_code == 200


@pytest.mark.parametrize(
    "login",
    [
        {"login": "alice@example.org", "password": "wrong"},
        {"login": "nobody@example.org", "password": PASSWORD},
    ],
)
def test_wrong_log_in_tells_nothing_about_the_address(alice, charlie_web, login):
    response = charlie_web.post("/account/login/", login)

    assert response.status_code == 200
    assert "are not correct" in response.content.decode()
    assert "_auth_user_id" not in charlie_web.session


def test_after_five_wrong_passwords_the_right_one_has_to_wait(alice, charlie_web):
    for _ in range(5):
        charlie_web.post("/account/login/", {"login": "alice@example.org", "password": "wrong"})

    response = charlie_web.post("/account/login/", {"login": "alice@example.org", "password": PASSWORD})

    assert "Too many failed login attempts" in response.content.decode()
    assert "_auth_user_id" not in charlie_web.session


def test_too_many_log_ins_from_one_machine_are_429_in_plain_words(db, charlie_web):
    for number in range(30):
        charlie_web.post("/account/login/", {"login": f"{number}@example.org", "password": "wrong"})

    response = charlie_web.post("/account/login/", {"login": "31@example.org", "password": "wrong"})

    assert response.status_code == 429
    assert response["Retry-After"] == "60"
    assert "Wait a minute" in response.content.decode()


def test_password_reset_by_mail(alice, charlie_web):
    charlie_web.post("/account/password/reset/", {"email": "alice@example.org"})
    link = charlie_web.get(_link())["Location"]

    response = charlie_web.post(link, {"password1": NEW, "password2": NEW})

    alice.refresh_from_db()
    assert response.status_code == 302
    assert alice.check_password(NEW)
    assert mail.outbox[0].subject == "Choose a new password for Pixelyard"


def test_reset_link_works_once(alice, charlie_web):
    charlie_web.post("/account/password/reset/", {"email": "alice@example.org"})
    first = _link()
    charlie_web.post(charlie_web.get(first)["Location"], {"password1": NEW, "password2": NEW})

    again = charlie_web.get(first, follow=True)

    assert "no longer works" in again.content.decode()


def test_reset_for_an_unknown_address_answers_the_same(db, charlie_web):
    response = charlie_web.post("/account/password/reset/", {"email": "nobody@example.org"})

    assert response["Location"] == "/account/password/reset/done/"
    assert mail.outbox[0].subject == "No account at Pixelyard with this address"


def _log_in(client):
    client.post("/account/login/", {"login": "alice@example.org", "password": PASSWORD})


def test_change_password_keeps_this_browser_and_drops_the_others(alice, alice_web, charlie_web):
    _log_in(charlie_web)

    charlie_web.post(
        "/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    )

    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert charlie_web.get("/account/").status_code == 200
    assert alice_web.get("/account/").status_code == 302


def test_change_password_needs_the_old_one(alice, charlie_web):
    _log_in(charlie_web)

    charlie_web.post(
        "/account/password/change/", {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    )

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def _ask_for_a_new_address(client, password):
    asked = client.post("/account/email/", {"email": "alice@example.net", "action_add": ""})
    assert asked["Location"].startswith("/account/reauthenticate/")
    client.post(asked["Location"], {"password": password})


def test_new_address_takes_over_when_it_is_confirmed(alice, charlie_web):
    _log_in(charlie_web)

    _ask_for_a_new_address(charlie_web, PASSWORD)
    alice.refresh_from_db()
    before = alice.email
    charlie_web.post(_link())

    alice.refresh_from_db()
    assert before == "alice@example.org"
    assert alice.email == "alice@example.net"
    assert list(alice.emailaddress_set.values_list("email", "primary")) == [("alice@example.net", True)]


def test_open_session_alone_can_not_change_the_address(alice, charlie_web):
    _log_in(charlie_web)

    _ask_for_a_new_address(charlie_web, "wrong")

    assert mail.outbox == []
    assert list(alice.emailaddress_set.values_list("email", flat=True)) == ["alice@example.org"]


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_signup", "account_reset_password", "account_reset_password_done",
     "account_reset_password_from_key_done", "account_inactive"],
)  # fmt: skip
def test_pages_of_people_who_are_logged_out(db, charlie_web, name):
    response = charlie_web.get(reverse(name))

    assert response.status_code == 200
    assert "Pixelyard" in response.content.decode()


@pytest.mark.parametrize(
    "name",
    ["account_settings", "account_tokens", "account_delete", "account_change_password", "account_logout"],
)
def test_pages_of_ones_own_account(alice, charlie_web, name):
    _log_in(charlie_web)

    assert charlie_web.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("path", ["/account/", "/account/tokens/", "/account/delete/", "/account/email/"])
def test_account_pages_need_a_log_in(db, charlie_web, path):
    response = charlie_web.get(path)

    assert response.status_code == 302
    assert response["Location"] == f"/account/login/?next={path}"
