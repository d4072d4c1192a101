"""A job while it runs, and one that did not do everything: live counts, cancel, retry."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import JobWatch

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SLOW = {"columns": 200}  # of the mosaic: about 0.3 s a photo on one core


def _status(page: Page, status: str) -> None:
    expect(page.locator("#job")).to_have_attribute("data-status", status, timeout=30_000)


def test_page_follows_a_job_within_a_second(visit, folder, api):
    job_id = api.post("/jobs", json={"app": "mosaic", "folder": folder(16), "params": SLOW})["id"]
    page = visit()
    page.goto(f"/jobs/{job_id}/", wait_until="domcontentloaded")
    watch = JobWatch(page)
    known: dict[int, float] = {}  # so many documents exist -> since when, as the API says
    while (count := api.get(f"/jobs/{job_id}/results", limit=1)["count"]) < 16:
        known.setdefault(count, time.time())
        time.sleep(0.02)
    known[16] = time.time()
    _status(page, "succeeded")

    seen = watch.seen()
    since = seen[0][2]
    delays = {
        count: min(at for _, done, at in seen if done >= count) - max(when, since)
        for count, when in known.items()
        if when > since
    }
    assert len(delays) > 2, "the job was over before anything could be measured"
    assert max(delays.values()) < 1, delays


def test_cancel_asks_first_and_keeps_what_is_done(visit, folder, api, shot):
    job_id = api.post("/jobs", json={"app": "mosaic", "folder": folder(40), "params": SLOW})["id"]
    page = visit(path=f"/jobs/{job_id}/")
    expect(page.locator("#live[data-status=running]:not([data-done='0'])")).to_be_visible()

    page.get_by_role("button", name="Cancel").click()
    question = page.get_by_role("dialog", name="Cancel this job?")
    shot(page, "job-cancel", full=False)
    question.get_by_role("button", name="Keep as it is").click()
    expect(question).to_be_hidden()
    assert api.job(job_id)["status"] == "running"
    page.get_by_role("button", name="Cancel").click()
    question.get_by_role("button", name="Cancel job").click()

    _status(page, "cancelled")
    expect(page.get_by_role("button", name="Run the rest")).to_be_visible()
    shot(page, "job-cancelled")
    job = api.job(job_id)
    assert 0 < job["done"] < 40
    kept = api.get(f"/folders/{job['output_folder']}")["image_count"]
    assert kept == job["done"]


def test_a_photo_that_failed_is_told_and_retried(visit, folder, api, platform, shot):
    """The bytes of one photo are out of reach for a while, as on a volume that has trouble."""
    folder_id = folder(4)
    photo = api.everything("/images", folder=folder_id)[1]
    blob = platform.data_dir / "drive" / api.get("/me")["id"] / photo["sha256"]
    away = blob.with_name(f"{blob.name}.away")
    page = visit(path=f"/studio/blackwhite/?folder={folder_id}")
    blob.rename(away)
    try:
        page.get_by_role("button", name="Run on 4 photos").click()
        page.wait_for_url("**/jobs/*/")
        _status(page, "succeeded")
    finally:
        away.rename(blob)
    job_id = page.url.rstrip("/").rpartition("/")[2]
    failed = page.get_by_role("region", name="Failed")
    expect(failed).to_contain_text(photo["name"])
    expect(failed).to_contain_text("The photo is no longer in the drive.")
    shot(page, "job-failed-photo")
    first = {one["image"]: one for one in api.everything(f"/jobs/{job_id}/results")}

    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    _status(page, "succeeded")
    expect(failed).to_be_hidden()

    job = api.job(job_id)
    assert (job["done"], job["failed"]) == (4, 0)
    for one in api.everything(f"/jobs/{job_id}/results"):
        again = one["image"] == photo["id"]
        assert (one["status"], one["attempt"]) == ("ok", 2 if again else 1)
        assert again or one == first[one["image"]]


def test_options_that_suit_no_photo_fail_with_a_way_out(visit, folder, shot, expected_errors):
    expected_errors.append("status of 422 .*/apps/mosaic/preview")
    page = visit(path=f"/studio/mosaic/?folder={folder(2)}")
    page.locator("[data-option=columns] input[type=number]").fill("400")
    expect(page.get_by_role("alert").filter(has_text="Choose options that make it smaller")).to_be_visible()
    page.get_by_role("button", name="Run on 2 photos").click()
    page.wait_for_url("**/jobs/*/")
    _status(page, "failed")
    expect(page.get_by_role("region", name="Failed").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("button", name="Retry failed")).to_be_visible()
    shot(page, "job-failed")
