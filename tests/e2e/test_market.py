"""The market in a browser: look around, try, top up, buy, run on a folder, review."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import small_photos
from tests.platform_fixture import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SAMPLES = 3


@pytest.fixture(scope="module")
def offers(platform: Platform) -> dict[str, str]:
    """{title: id} of the sample listings, once intake has measured them and they are for sale."""
    api, end = platform.api("buyer"), time.monotonic() + 240
    while True:
        found = {one["title"]: one["id"] for one in api.everything("/listings")}
        if len(found) >= SAMPLES or time.monotonic() > end:
            assert len(found) >= SAMPLES, found
            return found
        time.sleep(1)


def test_logged_out_people_look_around_and_come_back(visit, offers, shot):
    page = visit(None, "/")
    page.get_by_role("link", name="Market").first.click()
    expect(page.get_by_role("heading", name="Market", level=1)).to_be_visible()
    expect(page.locator(".offer a.card__link")).to_have_count(len(offers))
    shot(page, "market-guest")

    page.get_by_label("Search the market").fill("comic")
    expect(page.locator(".offer a.card__link")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=comic"))
    page.reload()
    expect(page.locator(".offer a.card__link")).to_have_count(1)
    page.get_by_text("Detection", exact=True).first.click()
    expect(page.get_by_text("Nothing for sale matches this.")).to_be_visible()
    shot(page, "market-no-match")
    page.get_by_role("link", name="Show everything").click()

    page.get_by_role("link", name="Comic book").click()
    expect(page.get_by_role("heading", name="Try it on your own photo")).to_be_visible()
    shot(page, "listing-guest")
    page.get_by_role("link", name="Log in to try it").click()
    expect(page).to_have_url(re.compile(r"/account/login/\?next="))


def _top_up_and_come_back(page: Page) -> None:
    """Through the sandbox's checkout, whose button calls our own webhook."""
    page.get_by_role("main").get_by_role("link", name="Top up").click()
    page.get_by_role("button", name="Go to payment").click()
    page.get_by_role("button", name=re.compile("^Pay ")).click()
    page.get_by_role("link", name="Go on where you were").click(timeout=30_000)


def test_sign_up_try_top_up_buy_run_review(visit, offers, platform, size, shot):  # noqa: PLR0915 - one walk
    page = visit(None, f"/account/signup/?next=/market/{offers['Comic book']}/")
    page.get_by_label("E-mail").fill(f"market-{size.name}-{time.time_ns()}@example.org")
    page.get_by_label("Password", exact=True).fill("a-long-market-password-7")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Comic book", level=1)).to_be_visible()

    # Try it: no credits needed, and the count goes down.
    left = page.locator("#tries-left")
    expect(left).to_contain_text("3 of 3 free previews left")
    [(name, data)] = small_photos(1)
    photo = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.locator("#try input[type=file]").set_input_files(photo)
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#try-result img[data-after]")).to_be_visible(timeout=30_000)
    expect(page.locator("#try-result").get_by_text("Preview", exact=True)).to_be_visible()
    expect(left).to_contain_text("2 of 3 free previews left")
    shot(page, "listing-tried")

    # Buy it: too few credits, a top-up, and back.
    page.get_by_role("link", name=re.compile("Buy for 300 credits")).first.click()
    expect(page.get_by_text("credits are missing")).to_be_visible()
    shot(page, "buy-too-few")
    _top_up_and_come_back(page)
    expect(page.get_by_text("nobody but the seller can download them")).to_be_visible()
    shot(page, "buy")
    page.get_by_role("button", name="Buy for 300 credits").click()
    expect(page.get_by_text(re.compile("Bought on .* for 300 credits."))).to_be_visible()
    shot(page, "listing-bought")

    # Run it over a folder.
    page.goto("/drive/")
    api = page.request
    token = page.context.cookies()
    csrf = next(cookie["value"] for cookie in token if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": csrf, "Referer": platform.base_url}
    folder = api.post("/api/v1/folders", data={"name": "To run"}, headers=headers).json()["id"]
    files = {"files": {"name": name, "mimeType": "image/jpeg", "buffer": data}}
    assert api.post(f"/api/v1/folders/{folder}/images", multipart=files, headers=headers).status == 201
    page.goto(f"/studio/{offers['Comic book']}/?folder={folder}")
    expect(page.locator("[data-quote]")).to_contain_text("1 credit", timeout=30_000)
    page.get_by_role("button", name=re.compile("Run on 1 photo")).click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("region", name="Pictures")).to_be_visible(timeout=60_000)

    # Review it, change it.
    page.goto(f"/market/{offers['Comic book']}/")
    page.locator("label[for=stars-4]").click()
    page.get_by_label("What should others know?").fill("Ink lines where they should be.")
    page.get_by_role("button", name="Send").click()
    review = page.locator(".review").first
    expect(review).to_contain_text("Ink lines where they should be.")
    expect(review).to_contain_text("4 of 5 stars")
    shot(page, "listing-reviewed")
    page.get_by_text("Change your review").click()
    page.locator("label[for=stars-2]").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".review").first).to_contain_text("2 of 5 stars")

    page.goto("/market/bought/")
    expect(page.get_by_role("link", name="Comic book")).to_be_visible()
    page.goto(f"/market/{offers['Comic book']}/buy/")
    expect(page.get_by_text("You have bought it already")).to_be_visible()


def test_report_and_take_down(visit, offers, shot, expected_errors):
    expected_errors.append(r"status of (404|409)")
    buyer = visit("buyer", f"/market/{offers['Handwritten digits']}/report/")
    buyer.get_by_text("It does not do what it says").click()
    buyer.get_by_label("What should staff look at?").fill("It reads a seven as a one.")
    shot(buyer, "report")
    buyer.get_by_role("button", name="Send the report").click()
    # At the second size, the same person has reported it before.
    expect(buyer.get_by_text(re.compile("Staff will look at it")).first).to_be_visible()

    staff = visit("admin", "/market/reports/")
    expect(staff.get_by_role("heading", name="Reports", level=1)).to_be_visible()
    shot(staff, "reports")
    staff.goto(f"/market/{offers['Handwritten digits']}/")
    staff.get_by_label("Reason").fill("To be looked at.")
    staff.get_by_role("button", name="Take it down").click()
    expect(staff.get_by_text("the seller appeals")).to_have_count(0)
    assert buyer.goto(f"/market/{offers['Handwritten digits']}/").status == 404
    seller = visit("seller", f"/sell/{offers['Handwritten digits']}/")
    expect(seller.get_by_text("To be looked at.")).to_be_visible()
    shot(seller, "sell-taken-down")
    seller.get_by_label(re.compile("Appeal")).fill("It reads them right in the samples.")
    seller.get_by_role("button", name="Send to the staff").click()
    staff.goto("/market/reports/")
    expect(staff.get_by_text("the seller appeals")).to_be_visible()
    shot(staff, "reports-appeal")
    row = staff.locator("article").filter(has_text="Handwritten digits").last
    row.get_by_label("Reason").fill("It does.")
    row.get_by_role("button", name="Put it back").click()
    expect(staff.get_by_text("It is back.")).to_be_visible()
    assert buyer.goto(f"/market/{offers['Handwritten digits']}/").status == 200
