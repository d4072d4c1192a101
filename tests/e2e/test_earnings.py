"""What a seller earns: a real sale in the plot, then a payout through the sandbox to its end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.api_client import Api, wait_until
from tests.platform_fixture import ROOT, Platform

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]

WEIGHTS = ROOT / "model_images" / "samples" / "digits.onnx"
PRICE = 6_000  # less the fee, enough for the least payout at both sizes
FEE = PRICE * 15 // 100
PAYOUT = 2_000


@pytest.fixture(scope="module")
def sold(platform: Platform, browser: Browser, states) -> Iterator[int]:
    """What the seller has after the buyer has topped up and bought a listing of theirs."""
    seller, buyer = platform.api("seller"), platform.api("buyer")
    before = seller.get("/earnings")["balance"]
    listing = _listed(seller)
    context = browser.new_context(base_url=platform.base_url, storage_state=states("buyer"))
    page = context.new_page()
    page.goto(buyer.post("/topups", json={"credits": PRICE})["checkout_url"])
    page.get_by_role("button", name=re.compile("^Pay ")).click()
    expect(page.get_by_text("Paid.")).to_be_visible(timeout=30_000)
    context.close()
    buyer.post(f"/listings/{listing}/purchase", json={"price": PRICE})
    earned = seller.get("/earnings")["balance"]
    assert earned == before + PRICE - FEE
    yield earned
    seller.post(f"/listings/{listing}/withdraw", expect=200)


def _listed(seller: Api) -> str:
    """A listing with measured weights, on the market."""
    offer = {"title": "Ten digits", "family": "classifier", "price": PRICE, "description": "Reads one digit."}
    listing = str(seller.post("/listings", json=offer)["id"])
    with WEIGHTS.open("rb") as file:
        files = {"file": (WEIGHTS.name, file)}
        version = seller.post(f"/listings/{listing}/versions", expect=202, files=files)["id"]

    def ready() -> bool:
        now = seller.get(f"/versions/{version}")
        assert now["status"] != "rejected", now
        return bool(now["status"] == "ready")

    wait_until(ready, 180, "the weights are measured")
    seller.post(f"/listings/{listing}/publish", expect=200)
    return listing


def test_a_sale_shows_in_the_plot_and_is_paid_out(visit, platform, sold, shot):
    earned = platform.api("seller").get("/earnings")["balance"]
    page = visit("seller", "/wallet/earnings/")
    plot = page.locator("figure.sales")
    expect(plot.locator("rect")).to_have_count(1)
    expect(plot.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"Earnings by day: \d+ credits")
    )
    expect(plot.locator("figcaption")).to_contain_text(re.compile(r"[1-9]\d* sold"))
    height = plot.locator("rect").bounding_box()["height"]
    assert height > 40, "the best day reaches at least half of the plot"
    shot(page, "earnings-sold")

    if page.get_by_role("button", name="Connect an account").count():
        page.get_by_role("button", name="Connect an account").click()
        expect(page.get_by_text("Payouts can be sent to you.")).to_be_visible()
    page.get_by_label("Credits", exact=True).fill(str(PAYOUT))
    page.get_by_role("button", name="Pay out").click()
    expect(page.get_by_text(f"A payout of {PAYOUT:,} credits is on its way.")).to_be_visible()

    def paid() -> bool:
        return bool(platform.api("seller").get("/payouts")["items"][0]["status"] == "paid")

    wait_until(paid, 60, "the sandbox has paid")
    page.goto("/wallet/earnings/")
    latest = page.locator(".payout").first
    expect(latest.locator("summary")).to_contain_text("20.00 EUR")
    expect(latest.locator("summary .tag")).to_have_text("paid")
    latest.locator("summary").click()
    steps = latest.locator("li")
    expect(steps).to_have_count(2)
    expect(steps.first).to_contain_text("requested")
    expect(steps.last).to_contain_text("paid")
    assert platform.api("seller").get("/earnings")["balance"] == earned - PAYOUT
    shot(page, "earnings-paid-out")
