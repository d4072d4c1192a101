"""Keeping order in the drive, by keys and by touch, and showing a folder to someone without an account."""

from __future__ import annotations

import re
import zipfile

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def _tiles(page: Page, *names: str) -> None:
    expect(page.locator("#photos [data-label]")).to_have_text(list(names))


def test_keep_order_by_keyboard(visit, folder, size, api, shot):
    if size.is_phone:
        pytest.skip("a phone has no keyboard")
    folder_id = folder(4, name="Keys")
    page = visit(path=f"/drive/{folder_id}/")
    page.get_by_role("button", name="New folder").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("Best")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=re.compile("^Best"))).to_be_visible()

    page.get_by_role("link", name="photo-00.jpg").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#selection-text")).to_have_text("2 photos selected")
    shot(page, "drive-selection", full=False)
    page.get_by_role("button", name="Move", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Best", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    _tiles(page, "photo-02.jpg", "photo-03.jpg")

    page.get_by_role("link", name="photo-02.jpg").focus()
    page.keyboard.press("F2")
    page.keyboard.type("evening")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="evening.jpg")).to_be_visible()
    page.get_by_role("link", name="evening.jpg").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Delete")
    _tiles(page, "photo-03.jpg")
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    _tiles(page, "evening.jpg", "photo-03.jpg")

    best = next(one for one in api.everything("/folders", parent=folder_id) if one["name"] == "Best")
    assert best["image_count"] == 2
    assert {one["name"] for one in api.everything("/images", folder=folder_id)} == {
        "evening.jpg",
        "photo-03.jpg",
    }


def test_trash_and_back(visit, folder, size, shot):
    name = f"Attic {size.name}"
    page = visit(path=f"/drive/{folder(3, name=name)}/")
    press = Page.tap if size.is_phone else Page.click
    press(page, "li[data-name='photo-01.jpg'] .tile-check")
    press(page, "li[data-name='photo-02.jpg'] .tile-check")
    expect(page.locator("#selection-text")).to_have_text("2 photos selected")
    shot(page, "drive-selected", full=False)
    press(page, "#trash-selected")
    _tiles(page, "photo-00.jpg")
    page.get_by_role("button", name="Undo").click()
    _tiles(page, "photo-00.jpg", "photo-01.jpg", "photo-02.jpg")

    press(page, "summary[aria-label=More]")
    page.get_by_role("button", name="Move folder to trash").click()
    page.wait_for_url("**/drive/")
    expect(page.get_by_role("link", name=re.compile(f"^{name}"))).to_have_count(0)
    page.goto("/drive/trash/")
    shot(page, "trash")
    page.get_by_role("button", name=f"Restore {name}", exact=True).click()
    expect(page.get_by_text(f"“{name}” is back")).to_be_visible()
    page.goto("/drive/")
    page.get_by_role("link", name=re.compile(f"^{name}")).click()
    _tiles(page, "photo-00.jpg", "photo-01.jpg", "photo-02.jpg")


def test_share_with_someone_without_an_account(visit, folder, size, shot, expected_errors):
    expected_errors.append("status of (404|410) .*/s/")
    name = f"Garden party {size.name}"
    page = visit(path=f"/drive/{folder(3, name=name)}/")
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Create link").click()
    url = dialog.get_by_label("Address of the link").input_value()
    shot(page, "share-dialog", full=False)

    guest = visit(None, url)
    expect(guest.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(guest.locator(".photos li")).to_have_count(3)
    expect(guest.locator(".photos img").last).not_to_have_js_property("naturalWidth", 0)
    shot(guest, "shared-folder")
    guest.get_by_role("link", name="photo-00.jpg").click()
    expect(guest.get_by_role("link", name="Photo after")).to_be_visible()
    shot(guest, "shared-photo")
    guest.goto(url)
    with guest.expect_download() as download:
        guest.get_by_role("link", name="Download as zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [f"photo-{number:02}.jpg" for number in range(3)]

    dialog.get_by_role("button", name="Revoke").click()
    expect(dialog.get_by_text("No link to this folder yet.")).to_be_visible()
    guest.reload()
    expect(guest.get_by_role("heading", name="This link shows nothing any more")).to_be_visible()
    shot(guest, "share-gone")
