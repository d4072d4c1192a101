"""Bought weights with a price for each photo, on real nodes: held, paid for results, the rest given back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.api_client import Api, wait_until
from tests.e2e.conftest import small_photos

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def _own(api: Api, title: str) -> str:
    """The listing with this title, bought if it was not. Its intake may still be at work."""

    def listed() -> list[dict[str, Any]]:
        return [one for one in api.get("/listings", q=title)["items"] if one["title"] == title]

    listing = wait_until(listed, 180, f"{title} is for sale")[0]
    answer = api.call("POST", f"/listings/{listing['id']}/purchase", json={"price": listing["price"]})
    assert answer.status_code == 201 or answer.json()["error"]["code"] == "already_bought", answer.text
    return str(listing["id"])


def _wallet(api: Api) -> tuple[int, int]:
    now = api.get("/wallet")
    return now["balance"], now["held"]


def _status(page: Page, status: str) -> None:
    expect(page.locator("#job")).to_have_attribute("data-status", status, timeout=60_000)


def _money(page: Page) -> tuple[int, int, int]:
    """Held, paid, given back, as the page says."""
    spans = page.locator("#job-money")
    return tuple(int(spans.locator(f"[data-{one}]").inner_text()) for one in ("held", "charged", "returned"))


def test_a_preview_is_made_when_it_is_paid_for_and_a_job_pays_each_result(visit, folder, api, shot):
    app = _own(api, "Comic book")
    before, _ = _wallet(api)
    page = visit(path=f"/studio/{app}/?folder={folder(3)}")
    pay = page.get_by_role("button", name="Preview for 1 credit")
    expect(pay).to_be_visible()
    expect(page.locator("[data-quote]")).to_contain_text(f"3 credits · wallet {before:,}")
    assert _wallet(api) == (before, 0)
    shot(page, "studio-priced", full=False)
    pay.click()
    expect(page.locator("[data-facts]")).to_contain_text("in all")
    assert _wallet(api) == (before - 1, 0)

    page.get_by_role("button", name="Run on 3 photos").click()
    page.wait_for_url("**/jobs/*/")
    _status(page, "succeeded")
    page.reload()
    assert _money(page) == (0, 3, 0)
    assert _wallet(api) == (before - 4, 0)
    shot(page, "job-priced")


def test_cancelling_gives_back_and_running_the_rest_holds_again(visit, folder, api, shot):
    app = _own(api, "Comic book")
    before, _ = _wallet(api)
    large = folder(16, width=1600, height=1200)
    job_id = api.post("/jobs", json={"app": app, "folder": large, "price": 16})["id"]
    held = api.job(job_id)["price"]
    assert held["held"] + held["charged"] == 16
    wait_until(lambda: 0 < api.job(job_id)["done"] < 12, 60, "some photos are done")
    api.post(f"/jobs/{job_id}/cancel", expect=200)
    page = visit(path=f"/jobs/{job_id}/")
    _status(page, "cancelled")
    wait_until(lambda: _wallet(api)[1] == 0, 10, "the rest is given back")
    job = api.job(job_id)
    assert 0 < job["done"] < 16
    page.reload()
    assert _money(page) == (0, job["done"], 16 - job["done"])
    assert _wallet(api) == (before - job["done"], 0)
    shot(page, "job-priced-cancelled")

    page.get_by_role("button", name="Run the rest").click()
    _status(page, "succeeded")
    wait_until(lambda: _wallet(api) == (before - 16, 0), 10, "every photo is paid once")


def test_a_failed_photo_costs_nothing_until_its_retry(visit, folder, api, platform):
    app = _own(api, "Handwritten digits")
    before, _ = _wallet(api)
    folder_id = folder(4)
    photo = api.everything("/images", folder=folder_id)[1]
    blob = platform.data_dir / "drive" / api.get("/me")["id"] / photo["sha256"]
    away = blob.with_name(f"{blob.name}.away")
    blob.rename(away)
    try:
        job_id = api.post("/jobs", json={"app": app, "folder": folder_id})["id"]
        page = visit(path=f"/jobs/{job_id}/")
        _status(page, "succeeded")
    finally:
        away.rename(blob)
    page.reload()
    assert _money(page) == (0, 3, 1)
    assert _wallet(api) == (before - 3, 0)
    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    _status(page, "succeeded")
    page.reload()
    assert _money(page) == (0, 4, 1)
    assert _wallet(api) == (before - 4, 0)


def test_what_is_missing_leads_to_a_top_up_and_back_to_the_run(visit, platform, size, shot):
    """The administrator of the demo begins with an empty wallet."""
    api = platform.api("admin")
    page = visit("admin", "/wallet/top-up/?credits=600")
    page.get_by_role("button", name="Go to payment").click()
    page.get_by_role("button", name="Pay 6.00 EUR").click()
    expect(page.get_by_text("Paid.")).to_be_visible()
    app = _own(api, "Shape finder")
    left = _wallet(api)[0]
    made = api.post("/folders", json={"name": f"Shapes {size.name}"})["id"]
    count = 12
    api.upload(made, small_photos(count, width=64, height=64))
    _take(page, platform.users["admin"].email, left - 5)

    page.goto(f"/studio/{app}/?folder={made}")
    error = page.get_by_role("alert").filter(has_text=f"{count - 5} credits are missing.")
    expect(error).to_be_visible()
    expect(page.get_by_role("button", name=f"Run on {count} photos")).to_be_disabled()
    shot(page, "studio-missing", full=False)
    error.get_by_role("link", name="Top up and come back").click()
    page.get_by_role("button", name="Go to payment").click()
    page.get_by_role("button", name=re.compile("^Pay ")).click()
    page.get_by_role("link", name="Go on where you were").click()
    expect(page).to_have_url(re.compile(rf"/studio/{app}/\?.*folder={made}"))
    page.get_by_role("button", name=f"Run on {count} photos").click()
    page.wait_for_url("**/jobs/*/")
    _status(page, "succeeded")
    page.reload()
    assert _money(page) == (0, count, 0)


def _take(page: Page, email: str, credits: int) -> None:
    """Staff take credits by an entry with a reason."""
    page.goto(f"/wallet/ledger/?q={email}")
    page.get_by_label("Credits, − to take").fill(f"−{credits}")
    page.get_by_label("Reason").fill("For a test of an empty wallet")
    page.get_by_role("button", name="Adjust").click()
    page.get_by_role("dialog", name="Adjust this wallet?").get_by_role("button", name="Adjust").click()
    expect(page.get_by_text(f"was adjusted by -{credits:,} credits")).to_be_visible()
