"""A seller brings weights in and runs them: upload, live steps, card, publish, preview, job."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import small_photos
from tests.platform_fixture import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]

SAMPLE = ROOT / "model_images" / "samples" / "comic.onnx"
INTAKE_MS = 180_000


def test_weights_from_the_upload_to_a_job(visit, platform, shot, size):
    api = platform.api("seller")
    folder = api.post("/folders", json={"name": f"For weights {size.name}"})["id"]
    api.upload(folder, small_photos(2, 240, 180))
    page = visit("seller", "/sell/")
    shot(page, "sell")
    page.get_by_role("link", name=re.compile("New listing|first listing")).click()
    page.get_by_label("Title").fill(f"Comic {size.name}")
    page.get_by_label(re.compile("Generator")).check()
    page.get_by_role("button", name="Go on to the upload").click()
    expect(page.get_by_role("button", name="Publish")).to_be_disabled()
    shot(page, "sell-draft")

    page.locator("[data-choose] [data-file]").set_input_files(SAMPLE)

    steps = page.locator(".version").first.locator(".step")
    expect(steps).to_have_count(4)
    expect(page.locator(".step--done")).to_have_count(4, timeout=INTAKE_MS)
    expect(page.get_by_role("heading", name="Model card")).to_be_visible()
    expect(page.locator(".card-samples img").first).to_be_visible()
    shot(page, "sell-ready")

    page.get_by_label("Description").fill("Draws photos as comics.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The listing is saved.")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("On the market", exact=True)).to_be_visible()
    shot(page, "sell-published")

    page.get_by_role("link", name="Try it").click()
    page.wait_for_url("**/studio/*/**")
    app = urlsplit(page.url).path.strip("/").rpartition("/")[2]
    page.goto(f"/studio/{app}/?folder={folder}")
    after = page.locator("[data-after]")
    expect(after).to_have_attribute("src", re.compile("^blob:"), timeout=30_000)
    shot(page, "sell-studio")
    page.get_by_role("button", name="Run on 2 photos").click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("region", name="Pictures")).to_be_visible(timeout=60_000)
    job = api.job(page.url.rstrip("/").rpartition("/")[2])
    assert (job["app"], job["status"], job["done"], job["failed"]) == (app, "succeeded", 2, 0)


def test_a_file_that_is_no_weights_says_so(visit, platform, tmp_path, shot):
    listing = platform.api("seller").post("/listings", json={"title": "Broken", "family": "yolov5"})["id"]
    bad = tmp_path / "holiday.onnx"
    bad.write_bytes(b"not weights" * 1000)
    page = visit("seller", f"/sell/{listing}/")

    page.locator("[data-choose] [data-file]").set_input_files(bad)

    expect(page.locator(".version .alert--bad")).to_be_visible(timeout=INTAKE_MS)
    expect(page.locator(".version").get_by_text("rejected", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_be_disabled()
    shot(page, "sell-rejected")


def test_an_upload_is_paused_and_goes_on_after_a_reload(visit, platform, tmp_path, shot):
    api = platform.api("seller")
    listing = api.post("/listings", json={"title": "Paused", "family": "gan"})["id"]
    big = tmp_path / "big.onnx"
    big.write_bytes(bytes(9 << 20))
    chunk = api.post(f"/listings/{listing}/uploads", json={"name": big.name, "size": big.stat().st_size})
    api.call(
        "PATCH",
        f"/uploads/{chunk['id']}",
        content=bytes(chunk["chunk_size"]),
        headers={"Upload-Offset": "0", "Content-Type": "application/octet-stream"},
    )
    page = visit("seller", f"/sell/{listing}/")
    expect(page.get_by_text("4.2 MB of 9.4 MB have come.")).to_be_visible()
    shot(page, "sell-resume")

    page.locator("[data-open] [data-file]").set_input_files(big)

    expect(page.locator(".version")).to_have_count(1, timeout=30_000)
    expect(page.locator("[data-open]")).to_have_count(0)
    version = api.call("GET", f"/listings/{listing}/versions").json()["items"][0]
    assert version["bytes"] == big.stat().st_size
