"""From nothing to a folder of photos."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import small_photos

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def test_sign_up_make_a_folder_and_upload(visit, size, shot, expected_errors):
    expected_errors.append("status of 422 .*/images")
    page = visit(None, "/")
    shot(page, "landing")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("E-mail").fill(f"new-{size.name}-{secrets.token_hex(4)}@example.org")
    page.get_by_label("Password").fill("quiet-harbour-59-lamp")
    shot(page, "sign-up")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()

    expect(page.get_by_role("heading", name="Drive", level=1)).to_be_visible()
    expect(page.get_by_text("Your drive is empty")).to_be_visible()
    expect(page.get_by_role("button", name="Choose photos")).to_be_visible()
    shot(page, "drive-empty")

    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name", exact=True).fill("Harbour")
    page.get_by_role("button", name="Create folder").click()
    page.get_by_role("link", name=re.compile("^Harbour")).click()
    expect(page.get_by_text("This folder is empty")).to_be_visible()
    expect(page.get_by_role("link", name="Process folder")).to_be_hidden()

    good = small_photos(5)
    broken = ("broken.jpg", good[0][1][:4000])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload photos").click()
    chooser.value.set_files(
        [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in [*good, broken]]
    )

    uploads = page.get_by_role("region", name="Uploads")
    expect(uploads).to_contain_text("5 uploaded · 1 not kept")
    expect(uploads.locator("li.is-bad")).to_contain_text("broken.jpg")
    expect(uploads.locator("li.is-bad")).to_contain_text("The file ends too early")
    thumbs = page.locator("#photos img")
    expect(thumbs).to_have_count(5)
    for thumb in thumbs.all():
        thumb.scroll_into_view_if_needed()
        expect(thumb).not_to_have_js_property("naturalWidth", 0)
    expect(page.get_by_role("link", name="Process folder")).to_be_visible()
    shot(page, "upload")
    page.reload()
    expect(page.locator("#photos li[data-kind]")).to_have_count(5)
