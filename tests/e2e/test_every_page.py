"""What holds for every page: one heading, nothing wider than the screen, a quiet console."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.api_client import Api, wait_until
from tests.e2e.conftest import Size, assert_fits
from tests.platform_fixture import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]

MARKET = {
    "market-page": "/market/",
    "market-nothing": "/market/?q=no+such+listing",
    "listing": "/market/{listing}/",
    "seller-page": "/market/sellers/{seller}/",
}
MONEY = {
    "wallet": "/wallet/",
    "top-up": "/wallet/top-up/",
    "price-list": "/wallet/prices/",
    "earnings": "/wallet/earnings/",
}
GUEST = {
    "landing-page": "/",
    "log-in": "/account/login/",
    "sign-up-page": "/account/signup/",
    "reset-password": "/account/password/reset/",
    "nothing-shared": "/s/nothing/",
    "not-found": "/nowhere/",
} | MARKET
BUYER = {
    "drive": "/drive/",
    "folder": "/drive/{folder}/",
    "photo": "/drive/photo/{image}/",
    "trash-page": "/drive/trash/",
    "studio-start": "/studio/",
    "studio-empty": "/studio/pixelart/",
    "studio-blackwhite": "/studio/blackwhite/?folder={folder}",
    "studio-ascii": "/studio/ascii/?image={image}&folder={folder}",
    "studio-pixelart": "/studio/pixelart/?folder={folder}",
    "studio-mosaic": "/studio/mosaic/?folder={folder}",
    "jobs": "/jobs/",
    "jobs-none": "/jobs/?q=no+such+job",
    "job": "/jobs/{job}/",
    "job-results": "/jobs/{job}/results/",
    "job-result": "/jobs/{job}/results/{image}/",
    "cluster-page": "/cluster/",
    "benchmarks-page": "/benchmarks/",
    "what-if-page": "/benchmarks/what-if/",
    "account": "/account/",
    "account-email": "/account/email/",
    "account-password": "/account/password/change/",
    "account-tokens": "/account/tokens/",
    "account-delete": "/account/delete/",
    "sell-empty": "/sell/",
    "bought": "/market/bought/",
    "buy-page": "/market/{listing}/buy/",
    **MARKET,
    **MONEY,
}
SELLER = {
    "sell-page": "/sell/",
    "sell-new": "/sell/new/",
    "sell-listing": "/sell/{listing}/",
    "own-listing": "/market/{listing}/",
    **MONEY,
}
PAGES = {None: GUEST, "buyer": BUYER, "seller": SELLER}


@pytest.fixture(scope="session")
def ids(platform: Platform) -> dict[str, str]:
    """The demo photos, a finished job over them, and a listing of the demo seller."""
    api = platform.api()
    folder = next(one["id"] for one in api.everything("/folders") if one["name"] == "Demo photos")
    image = api.everything("/images", folder=folder)[0]["id"]
    params = {"color": "foreground", "charset": "dense"}
    own = {image: {"charset": "blocks", "columns": 90}}
    job = api.post("/jobs", json={"app": "ascii", "folder": folder, "params": params, "image_params": own})
    api.wait_for_job(job["id"])
    listing = wait_until(lambda: _shapes(api), 240, "the sample listings are for sale")
    return {
        "folder": folder,
        "image": image,
        "job": job["id"],
        "listing": listing["id"],
        "seller": listing["seller"]["id"],
    }


def _shapes(api: Api) -> dict[str, Any] | None:
    found = api.get("/listings", q="Shape finder")["items"]
    return next((one for one in found if one["title"] == "Shape finder"), None)


def _check(page: Page, size: Size) -> None:
    assert page.locator("h1").count() == 1, page.url
    assert page.locator("h1").inner_text().strip(), page.url
    assert page.locator("main").count() == 1, page.url
    nameless = page.locator("img:not([alt])").count()
    assert nameless == 0, f"{page.url}: {nameless} pictures without a text for those who can't see them"
    assert_fits(page, size)
    _check_navigation(page)


def _check_navigation(page: Page) -> None:
    """The ways to the other pages are there, and none of them is cut off at the side."""
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(links.filter(has_text="Market")).to_be_visible()
    outside = links.evaluate_all(
        """links => links.map(link => [link.innerText.trim(), link.getBoundingClientRect()])
          .filter(([, box]) => box.left < 0 || box.right > document.documentElement.clientWidth)
          .map(([text]) => text)"""
    )
    assert outside == [], f"{page.url}: cut off in the navigation"


def _settled(page: Page) -> None:
    """The studio has its result, and pictures in sight are there."""
    if page.locator("#studio").count() and page.locator("[data-strip]").get_by_role("option").count():
        expect(page.locator("[data-facts]")).to_contain_text("in all")
    page.wait_for_load_state("load")


@pytest.mark.parametrize("role", PAGES)
def test_pages(visit, size, ids, role, shot, expected_errors):
    expected_errors.append(r"status of (404|410) .*/(nowhere|s/nothing)/")
    page = visit(role)
    for name, path in (PAGES[role]).items():
        page.goto(path.format_map(ids))
        _settled(page)
        _check(page, size)
        shot(page, f"page-{name}")


def test_api_docs(visit, shot):
    page = visit("buyer", "/api/docs")
    expect(page.get_by_role("heading", name="Pixelyard API")).to_be_visible()
    expect(page.locator(".opblock").first).to_be_visible()
    shot(page, "api-docs", full=False)


def test_dark_colours_stay(visit, ids, shot):
    page = visit(path="/drive/")
    light = _background(page)
    switch = page.get_by_role("button", name="Colours: as the system")
    switch.click()
    page.get_by_role("button", name="Colours: light").click()
    expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
    dark = _background(page)
    assert sum(dark) < 200 < sum(light)
    for name, path in {
        "drive": "/drive/",
        "studio": "/studio/ascii/?folder={folder}",
        "job": "/jobs/{job}/",
    }.items():
        page.goto(path.format_map(ids))
        _settled(page)
        assert _background(page) == dark
        shot(page, f"dark-{name}", full=False)
    expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()


@pytest.mark.parametrize("role", ["buyer", "seller"])
def test_market_and_money_in_the_dark(visit, size, ids, role, shot):
    page = visit(role)
    page.emulate_media(color_scheme="dark")
    for name, path in (MARKET | MONEY if role == "buyer" else SELLER).items():
        page.goto(path.format_map(ids))
        assert sum(_background(page)) < 200, f"{page.url} is not dark"
        _check(page, size)
        shot(page, f"dark-{role}-{name}")


def _background(page: Page) -> list[int]:
    """Red, green and blue as they are on the screen, whatever notation the styles use."""
    return page.evaluate(
        """() => {
          const context = document.createElement("canvas").getContext("2d");
          context.fillStyle = getComputedStyle(document.body).backgroundColor;
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }"""
    )
