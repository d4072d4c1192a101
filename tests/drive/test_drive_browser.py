"""The drive in a real browser, at the size of a desktop and of a phone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.drive.models import Folder, Image
from apps.drive.services import folders
from tests.conftest import _browser
from tests.drive import photos

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs a loop in this thread
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def alice(shared_database) -> User:
    return User.objects.create_user("alice@example.org", name="Alice")


@pytest.fixture
def server(alice) -> Iterator[str]:
    live = LiveServer("localhost")
    yield live.url
    live.stop()


@pytest.fixture(params=SIZES)
def page(request, chromium, server, alice, settings) -> Iterator[Page]:
    settings.BASE_URL = server
    width, height = SIZES[request.param]
    context = chromium.new_context(viewport={"width": width, "height": height}, base_url=server)
    context.add_cookies(
        [{"name": "sessionid", "value": _browser(alice).cookies["sessionid"].value, "url": server}]
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert errors == []


@pytest.fixture
def holiday(alice) -> Folder:
    return folders.create(alice, "Holiday")


def tiles(page: Page) -> list[str]:
    return page.locator("#photos li[data-kind]").evaluate_all("items => items.map(item => item.dataset.name)")


def check(page: Page, name: str) -> None:
    page.get_by_role("checkbox", name=f"Select {name}", exact=True).check(force=True)


def test_upload_keeps_the_good_and_tells_why_not_the_others(page: Page, holiday, tmp_path: Path):
    files = {
        "good.jpg": photos.photo(1),
        "half.jpg": photos.photo(2, width=300, height=200)[:2000],
        "empty.jpg": b"",
        "film.webp": photos.animated("webp"),
        "twin.jpg": photos.photo(1),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page.goto(f"/drive/{holiday.pk}/")
    expect(page.get_by_text("This folder is empty")).to_be_visible()

    page.set_input_files(
        "#choose-files", [tmp_path / name for name in ("good.jpg", "half.jpg", "empty.jpg", "film.webp")]
    )
    panel = page.get_by_role("region", name="Uploads")
    expect(panel).to_contain_text("1 uploaded · 3 not kept")
    expect(panel).to_contain_text("The file ends too early")
    expect(panel).to_contain_text("The file is empty")
    expect(panel).to_contain_text("3 frames or pages")
    expect(page.get_by_role("link", name="Process folder")).to_be_visible()

    page.set_input_files("#choose-files", tmp_path / "twin.jpg")
    expect(panel).to_contain_text("Already here as good.jpg")
    assert tiles(page) == ["good.jpg"]
    panel.get_by_role("button", name="Keep both").click()
    expect(page.locator("#photos li[data-kind]")).to_have_count(2)
    assert sorted(Image.objects.values_list("name", flat=True)) == ["good.jpg", "twin.jpg"]


def test_search_and_order(page: Page, holiday, alice):
    rows = photos.rows(alice, holiday, 4)
    for row, (name, size) in zip(rows, (("sea 1", 5), ("hill", 9), ("sea 2", 7), ("lake", 1)), strict=True):
        Image.objects.filter(pk=row.pk).update(name=f"{name}.jpg", bytes=size)
    page.goto(f"/drive/{holiday.pk}/")
    check(page, "lake.jpg")

    page.get_by_label("Search photos by name").press_sequentially("SEA")
    expect(page.locator("#photos li[data-kind]")).to_have_count(2)
    expect(page.get_by_text("2 of 4 photos with “SEA” in the name")).to_be_visible()
    expect(page.locator("#selection-bar")).to_be_hidden()  # what is not shown is not selected
    expect(page.get_by_label("Search photos by name")).to_be_focused()
    page.get_by_label("Order", exact=True).select_option("Largest first")
    expect(page.locator("#photos li[data-kind]").first).to_have_attribute("data-name", "sea 2.jpg")
    assert tiles(page) == ["sea 2.jpg", "sea 1.jpg"]
    assert "q=SEA" in page.url
    assert "order=-bytes" in page.url

    page.reload()
    assert tiles(page) == ["sea 2.jpg", "sea 1.jpg"]
    page.get_by_label("Search photos by name").fill("")
    expect(page.locator("#photos li[data-kind]")).to_have_count(4)
    assert tiles(page) == ["hill.jpg", "sea 2.jpg", "sea 1.jpg", "lake.jpg"]
    page.go_back()
    expect(page.locator("#photos li[data-kind]")).to_have_count(2)


def test_search_works_without_javascript(page: Page, chromium, alice, holiday):
    photos.rows(alice, holiday, 3)
    context = chromium.new_context(
        java_script_enabled=False, viewport=page.viewport_size, storage_state=page.context.storage_state()
    )
    page.goto(f"/drive/{holiday.pk}/")
    address = page.url
    page = context.new_page()
    page.goto(address)

    page.get_by_label("Search photos by name").fill("00002")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator("#photos li[data-kind]")).to_have_count(1)
    context.close()


def test_a_folder_is_uploaded_with_its_folders(page: Page, tmp_path: Path):
    inner = tmp_path / "Trip" / "day 1"
    inner.mkdir(parents=True)
    (inner / "a.jpg").write_bytes(photos.photo(1))
    (tmp_path / "Trip" / "b.jpg").write_bytes(photos.photo(2))
    (tmp_path / "Trip" / ".DS_Store").write_bytes(b"x")
    page.goto("/drive/")

    page.set_input_files("#choose-directory", tmp_path / "Trip")

    expect(page.get_by_role("region", name="Uploads")).to_contain_text("2 uploaded")
    expect(page.get_by_role("link", name=re.compile("^Trip"))).to_be_visible()
    assert Image.objects.get(name="a.jpg").folder.name == "day 1"
    assert Image.objects.get(name="b.jpg").folder.name == "Trip"


def test_drop_anywhere(page: Page, holiday):
    page.goto(f"/drive/{holiday.pk}/")

    page.evaluate(
        """bytes => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped.jpg"));
          for (const type of ["dragenter", "dragover", "drop"])
            document.querySelector("h1").dispatchEvent(
              new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        list(photos.photo(3)),
    )

    expect(page.locator("#photos li[data-kind]")).to_have_count(1)
    assert tiles(page) == ["dropped.jpg"]


def test_select_trash_and_undo(page: Page, alice, holiday):
    for number in range(4):
        photos.add(alice, holiday, f"{number}.jpg")
    page.goto(f"/drive/{holiday.pk}/")

    check(page, "1.jpg")
    page.get_by_role("checkbox", name="Select 3.jpg").click(modifiers=["Shift"], force=True)
    expect(page.locator("#selection-text")).to_have_text("3 photos selected")
    page.get_by_role("button", name="Move to trash", exact=True).click()
    expect(page.locator("#photos li[data-kind]")).to_have_count(1)
    assert tiles(page) == ["0.jpg"]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#photos li[data-kind]")).to_have_count(4)
    assert Image.objects.filter(trashed_at=None).count() == 4


def test_keys(page: Page, alice, holiday):
    for number in range(3):
        photos.add(alice, holiday, f"{number}.jpg")
    page.goto(f"/drive/{holiday.pk}/")
    page.get_by_role("link", name="0.jpg").focus()

    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    expect(page.locator("#selection-text")).to_have_text("1 photo selected")
    page.keyboard.press("Control+a")
    expect(page.locator("#selection-text")).to_have_text("3 photos selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection-bar")).to_be_hidden()
    page.get_by_role("link", name="0.jpg").focus()
    page.keyboard.press("F2")
    page.keyboard.type("first")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="first.jpg")).to_be_visible()
    page.get_by_role("link", name="first.jpg").focus()
    page.keyboard.press(" ")
    page.keyboard.press("Delete")
    expect(page.locator("#photos li[data-kind]")).to_have_count(2)


def test_new_folder_and_move(page: Page, alice, holiday):
    photos.add(alice, holiday, "cat.jpg")
    page.goto(f"/drive/{holiday.pk}/")
    page.get_by_role("button", name="New folder", exact=True).click()
    page.get_by_role("textbox", name="Name").fill("a/b")
    page.get_by_role("button", name="Create folder").click()
    expect(page.get_by_role("alert")).to_contain_text(["A name can't contain"])
    page.get_by_role("textbox", name="Name").fill("Best")
    page.get_by_role("button", name="Create folder").click()
    expect(page.get_by_role("link", name=re.compile("^Best"))).to_be_visible()

    check(page, "cat.jpg")
    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_label("Best", exact=True).check()
    page.get_by_role("button", name="Move here").click()

    expect(page.locator("#photos li[data-kind]")).to_have_count(0)
    assert Image.objects.get().folder.name == "Best"


def test_a_long_folder_loads_as_one_scrolls(page: Page, alice, holiday):
    photos.rows(alice, holiday, 150)
    page.goto(f"/drive/{holiday.pk}/")
    expect(page.locator("#photos li[data-kind]")).to_have_count(60)

    for _ in range(2):
        page.locator(".photos__more").scroll_into_view_if_needed()
        page.wait_for_function(
            "count => document.querySelectorAll('#photos li[data-kind]').length > count", arg=60
        )
    page.keyboard.press("End")
    expect(page.locator("#photos li[data-kind]")).to_have_count(150)
    names = tiles(page)
    assert names == sorted(set(names))


def test_viewer_steps_with_keys(page: Page, alice, holiday):
    for number in range(2):
        photos.add(alice, holiday, f"{number}.jpg")
    page.goto(f"/drive/{holiday.pk}/")
    page.get_by_role("link", name="0.jpg").click()

    expect(page.get_by_role("heading", name="0.jpg")).to_be_visible()
    page.wait_for_load_state()  # the heading is there before the script that listens
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="1.jpg")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Holiday")).to_be_visible()


def test_share_with_someone_who_has_no_account(page: Page, chromium, alice, holiday):
    photos.add(alice, holiday, "cat.jpg")
    page.goto(f"/drive/{holiday.pk}/")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="Create link").click()
    url = page.get_by_role("textbox", name="Address of the link").input_value()

    charlie = chromium.new_context().new_page()
    charlie.goto(url)
    expect(charlie.get_by_role("link", name="cat.jpg")).to_be_visible()
    with charlie.expect_download() as download:
        charlie.get_by_role("link", name="Download as zip").click()
    assert download.value.suggested_filename == "Holiday.zip"
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No link to this folder yet")).to_be_visible()
    charlie.reload()
    expect(charlie.get_by_role("heading", name="This link shows nothing any more")).to_be_visible()
    charlie.context.close()


def test_trash_page(page: Page, alice, holiday):
    photos.add(alice, holiday, "cat.jpg")
    folders.trash(folders.create(alice, "Old"))
    page.goto("/drive/trash/")

    page.get_by_role("button", name="Restore Old").click()

    expect(page.get_by_text("The trash is empty")).to_be_visible()
    assert Folder.objects.filter(trashed_at=None).count() == 2
