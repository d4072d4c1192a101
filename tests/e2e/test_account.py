"""Getting in and out, and tokens for programs."""

from __future__ import annotations

import secrets

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import log_in

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
PASSWORD = "quiet-harbour-59-lamp"


def _sign_up(page: Page) -> str:
    email = f"in-and-out-{secrets.token_hex(4)}@example.org"
    page.goto("/account/signup/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Drive", level=1)).to_be_visible()
    return email


def test_out_and_in_again(visit, shot):
    page = visit(None)
    email = _sign_up(page)
    page.locator("summary.account").click()
    shot(page, "account-menu", full=False)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/")
    page.goto("/jobs/")
    assert page.url.endswith("/account/login/?next=/jobs/")

    log_in(page, email, "not-the-password")
    expect(page.get_by_role("alert")).to_contain_text("not correct")
    expect(page.get_by_label("E-mail")).to_have_value(email)
    shot(page, "log-in-wrong")
    log_in(page, email, PASSWORD)
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()


@pytest.mark.parametrize("email", ["buyer@example.org", "nobody@example.org"])
def test_reset_says_the_same_whether_or_not_there_is_an_account(visit, email):
    page = visit(None, "/account/login/")
    page.get_by_role("link", name="Forgot the password?").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail", level=1)).to_be_visible()


def test_token_is_shown_once_works_and_ends(visit, size, platform, shot):
    name = f"backup script {size.name}"
    page = visit(path="/account/tokens/")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the token").click()
    token = page.locator("#new-token").inner_text()
    shot(page, "token-made")
    headers = {"Authorization": f"Bearer {token}"}

    with httpx.Client(base_url=platform.base_url, headers=headers) as program:
        assert program.get("/api/v1/me").json()["email"] == platform.users["buyer"].email
        page.goto("/account/tokens/")
        expect(page.get_by_role("rowheader", name=name)).to_be_visible()
        assert token not in page.content()
        page.get_by_role("button", name=f"Revoke {name}").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("rowheader", name=name)).to_have_count(0)
        assert program.get("/api/v1/me").status_code == 401
