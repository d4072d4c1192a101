"""Try an app on one photo, run it over the folder, look at what came out."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Page, expect

from tests.e2e.conftest import JobWatch

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
PHOTOS = 36  # enough for the page to be seen half way, however fast the machine


def _other_result(page: Page, before: str | None) -> str:
    """Wait for the result of the preview to be another picture than `before`, and drawn."""
    after = page.locator("[data-after]")
    expect(after).to_have_attribute("src", re.compile("^blob:"))
    if before:
        expect(after).not_to_have_attribute("src", before)
    expect(page.locator("[data-area]")).not_to_have_class(re.compile("is-stale"))
    return str(after.get_attribute("src"))


def test_from_folder_to_results(visit, folder, shot, api):  # noqa: PLR0915 - one walk, told in order
    folder_id = folder(PHOTOS)
    page = visit(path=f"/drive/{folder_id}/")
    page.get_by_role("link", name="Process folder").click()
    shot(page, "studio-apps")
    page.get_by_role("link", name="Mosaic").click()

    # Another option, another result, on the same page.
    page.evaluate("window.stays = true")
    first = _other_result(page, None)
    columns = page.locator("[data-option=columns] input[type=number]")
    columns.fill("40")
    second = _other_result(page, first)
    expect(page.locator("[data-facts]")).to_contain_text("1280 × 960")
    columns.fill("160")
    _other_result(page, second)
    assert page.evaluate("window.stays") is True

    slider = page.get_by_role("slider", name="Line between before and after")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "52")
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press("Shift+ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "10 % before, 90 % after")
    expect(page.locator("[data-quote]")).to_contain_text("0 credits")
    shot(page, "studio", full=False)
    shot(page, "studio-whole")

    page.get_by_role("button", name=f"Run on {PHOTOS} photos").click()
    page.wait_for_url("**/jobs/*/", wait_until="domcontentloaded")
    watch = JobWatch(page)
    job_id = page.url.rstrip("/").rpartition("/")[2]
    expect(page.locator("#live[data-status=running]")).to_be_visible()
    shot(page, "job-running")
    pictures = page.get_by_role("region", name="Pictures")
    expect(pictures).to_be_visible(timeout=30_000)
    seen = watch.seen()
    assert seen[-1][:2] == ("succeeded", PHOTOS)
    assert [done for status, done, _ in seen if status == "running" and 0 < done < PHOTOS]
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    expect(page.get_by_role("region", name="Nodes").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("region", name="Which node did what")).to_be_visible()
    shot(page, "job-succeeded")

    pictures.get_by_role("link", name=f"All {PHOTOS} results").click()
    expect(page.locator("#results li")).to_have_count(PHOTOS)
    shot(page, "results")
    page.get_by_text("Failed 0", exact=True).click()
    expect(page.get_by_text("No result matches this.")).to_be_visible()
    page.get_by_role("link", name="Show every result").click()
    page.locator("#exports summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["name"] for row in rows] == [f"photo-{number:02}.jpg" for number in range(PHOTOS)]
    assert {row["status"] for row in rows} == {"ok"}

    page.locator("#results li a").first.click()
    expect(page.get_by_role("heading", name="photo-00.jpg", level=1)).to_be_visible()
    line = page.get_by_role("slider")
    line.focus()
    page.keyboard.press("End")
    expect(line).to_have_attribute("aria-valuenow", "100")
    shot(page, "result")
    page.get_by_role("link", name="Next photo").click()
    expect(page.get_by_role("heading", name="photo-01.jpg", level=1)).to_be_visible()

    page.goto(f"/jobs/{job_id}/")
    page.get_by_role("link", name="Open folder").click()
    expect(page.locator("#photos li[data-kind]")).to_have_count(PHOTOS)
    assert page.url.rstrip("/").endswith(api.job(job_id)["output_folder"])
    shot(page, "output-folder")


def _brightness(api, image_id: str) -> float:
    content = api.call("GET", f"/images/{image_id}/content").content
    return ImageStat.Stat(Image.open(io.BytesIO(content)).convert("L")).mean[0]


def test_options_for_one_photo_only(visit, folder, api, shot):
    folder_id = folder(3)
    photos = {image["name"]: image["id"] for image in api.everything("/images", folder=folder_id)}
    page = visit(path=f"/studio/blackwhite/?folder={folder_id}")
    plain = _other_result(page, None)
    page.get_by_role("button", name="Next photo").click()
    expect(page.locator("[data-photo-name]")).to_have_text("photo-01.jpg")
    plain = _other_result(page, plain)
    page.get_by_label("Invert").check()
    _other_result(page, plain)
    page.get_by_role("button", name="Use these options for this photo only").click()
    expect(page.get_by_text("These options hold for this photo only.")).to_be_visible()
    expect(page.locator("[data-own-items] li")).to_have_count(1)
    shot(page, "studio-own-options")
    page.get_by_role("button", name="Photo before").click()
    expect(page.get_by_label("Invert")).not_to_be_checked()

    page.get_by_role("button", name="Run on 3 photos").click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("region", name="Pictures")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("1 photo ran with options of its own.")).to_be_visible()

    documents = api.everything(f"/jobs/{page.url.rstrip('/').rpartition('/')[2]}/results")
    for document in documents:
        before = _brightness(api, photos[document["name"]])
        after = _brightness(api, document["output_image"])
        inverted = document["name"] == "photo-01.jpg"
        assert after == pytest.approx(255 - before if inverted else before, abs=1)
