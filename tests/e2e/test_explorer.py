"""Boxes over photos: filters in the address, legend, slider, table, keyboard, and the export of what is seen.

The job is real; what it found is written over its documents, so that this needs no weights."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.platform_fixture import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
FOUND = {
    0: [("cat", 0.9, [40, 60, 120, 100]), ("cat", 0.3, [200, 60, 80, 80]), ("dog", 0.6, [300, 200, 90, 90])],
    1: [("dog", 0.8, [10, 10, 200, 300])],
    2: [],
}


def _write(platform: Platform, job: str) -> None:
    """`FOUND` as the documents of the job's photos."""
    database = sqlite3.connect(platform.data_dir / "db.sqlite3", timeout=30)
    with database:
        rows = database.execute(
            "SELECT id, position, data FROM processing_document WHERE job_id = ?", [job]
        ).fetchall()
        for row, position, text in rows:
            found = [
                {"label": label, "confidence": confidence, "box": box, "class_id": 0}
                for label, confidence, box in FOUND[position]
            ]
            data: dict[str, Any] = json.loads(text) | {"data": {"detections": found}}
            database.execute("UPDATE processing_document SET data = ? WHERE id = ?", [json.dumps(data), row])
            database.executemany(
                "INSERT INTO processing_finding (document_id, job_id, label, confidence, rgb, ryb) "
                "VALUES (?, ?, ?, ?, '', '')",
                [(row, job, one["label"], one["confidence"]) for one in found],
            )
    database.close()


def test_explore_what_was_found(visit, folder, shot, api, platform, size):  # noqa: PLR0915 - one walk
    job = api.post("/jobs", json={"app": "blackwhite", "folder": folder(3)})["id"]
    api.wait_for_job(job)
    _write(platform, job)

    page = visit(path=f"/jobs/{job}/")
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    shot(page, "job-found")
    page.get_by_role("link", name="Photos by class").click()
    expect(page.get_by_role("region", name="dog").get_by_role("listitem")).to_have_count(2)
    shot(page, "explorer-by-class")

    page.goto(f"/jobs/{job}/results/")
    expect(page.locator("#results .photo")).to_have_count(3)
    if size.is_phone:
        page.get_by_text("Filters", exact=True).click()
    page.get_by_role("radio", name="cat").check(force=True)
    expect(page.locator("#results .photo")).to_have_count(1)
    expect(page.locator("#results .boxes__box")).to_have_count(2)
    slider = page.get_by_role("slider", name="Least confidence")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    expect(page.locator("#results .boxes__box")).to_have_count(1)
    page.wait_for_url(re.compile(r"label=cat.*min_confidence=0\.5"))
    shot(page, "explorer-filtered")
    page.reload()
    expect(page.locator("#results .boxes__box")).to_have_count(1)

    link = page.locator("#exports a", has_text="CSV").get_attribute("href")
    assert "label=cat&min_confidence=0.5" in str(link)
    with zipfile.ZipFile(io.BytesIO(api.call("GET", f"/jobs/{job}/yolo.zip?label=cat").content)) as made:
        assert made.read("labels/photo-00.txt").count(b"\n") == 2

    page.goto(f"/jobs/{job}/results/")
    page.locator("#results .photo a").first.click()
    expect(page.locator("[data-box]")).to_have_count(3)
    photo, box = (
        page.locator("[data-finder-photo]").bounding_box(),
        page.locator("[data-box='0']").bounding_box(),
    )
    assert photo
    assert box
    # The box lies where the document says, whatever size the photo has on the screen.
    scale = photo["width"] / 480
    assert box["x"] + box["width"] / 2 - photo["x"] == pytest.approx(100 * scale, abs=2)
    assert box["y"] + box["height"] / 2 - photo["y"] == pytest.approx(110 * scale, abs=2)
    shot(page, "explorer-photo")

    legend = page.get_by_role("group", name="Classes shown")
    legend.get_by_role("button", name="dog").click()
    expect(page.locator("[data-box]")).to_have_count(2)
    expect(legend.get_by_role("button", name="dog")).to_have_attribute("aria-pressed", "false")
    row = page.locator("[data-row='0']")
    row.focus()
    expect(page.locator("[data-box='0']")).to_have_class("is-chosen")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-box='1']")).to_have_class("is-chosen")
    page.locator("[data-finder-least]").fill("0.5")
    expect(page.locator("[data-box]")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="photo-01.jpg", level=1)).to_be_visible()
    page.wait_for_load_state()  # the heading is there before the script that listens
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Nothing was found in this photo.")).to_be_visible()
