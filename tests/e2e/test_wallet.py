"""Topping up through the sandbox, in a real browser: the signed webhook travels over a real socket."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


def _balance(page) -> int:
    return int(page.locator("#balance").inner_text().replace(",", ""))


def test_topping_up_through_the_sandbox_and_going_on(visit):
    page = visit("buyer", "/wallet/")
    before = _balance(page)
    page.get_by_role("link", name="Top up").click()
    page.get_by_label("Another amount").fill("700")
    page.get_by_role("button", name="Go to payment").click()

    expect(page.get_by_text("Sandbox: test money")).to_be_visible()
    page.get_by_role("button", name="Pay 7.00 EUR").click()

    expect(page.get_by_text("Paid.")).to_be_visible()
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_text("no real money was moved")).to_be_visible()
    page.goto("/wallet/")
    assert _balance(page) == before + 700
    page.get_by_label("Kind").select_option("grant")
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"kind=grant"))


def test_a_declined_payment_leads_back_to_another_try(visit):
    page = visit("buyer", "/wallet/top-up/?credits=600&next=/studio/")
    page.get_by_role("button", name="Go to payment").click()
    page.get_by_role("button", name="Let it be declined").click()
    expect(page.get_by_text("The payment failed.")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Another amount")).to_have_value("600")
    page.get_by_role("button", name="Go to payment").click()
    page.get_by_role("button", name="Pay 6.00 EUR").click()
    page.get_by_role("link", name="Go on where you were").click()
    expect(page).to_have_url(re.compile(r"/studio/"))
