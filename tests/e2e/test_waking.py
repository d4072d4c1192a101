"""Preview servers that were asleep: the pages say so, ask again by themselves, and give up with a button.

The double stands between browser and server: it answers as the server does while a family wakes up
(tests/cluster_app/test_waking.py), then lets the questions through.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import small_photos
from tests.e2e.test_market import offers

__all__ = ["offers"]  # a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PREVIEW, TRY = "**/api/v1/apps/*/preview", "**/try/"
ASLEEP = {"error": {"code": "waking_up", "message": "They were asleep and are waking up.", "fields": {}}}
BROKEN = {
    "error": {
        "code": "no_preview_server",
        "message": "The preview servers of this app can't start: node-1 can't get the image: "
        "pixelyard/filters:9: it does not exist. Your photo and options are kept.",
        "fields": {},
    }
}
NOTE = "Waking up the preview servers…"
# The clock of the page's patience, not that of its timers.
LATER = "() => { const now = performance.now.bind(performance); performance.now = () => now() + 100_000; }"


class Sleepers:
    """Answers `answer` instead of the server until `wake` is called. `asked` counts all questions."""

    def __init__(self, page: Page, pattern: str, answer: dict | str, status: int = 503) -> None:
        self.asked = 0
        self._awake = False
        self._answer, self._status = answer, status
        page.route(pattern, self._meet)

    def wake(self) -> None:
        self._awake = True

    def _meet(self, route: Route) -> None:
        self.asked += 1
        if self._awake:
            route.continue_()
        elif isinstance(self._answer, dict):
            body, headers = json.dumps(self._answer), {"Retry-After": "1"}
            route.fulfill(status=self._status, body=body, content_type="application/json", headers=headers)
        else:
            route.fulfill(status=self._status, body=self._answer, content_type="text/html")


@pytest.fixture
def studio(visit, folder, expected_errors) -> Callable[[dict], tuple[Page, Sleepers]]:
    def studio(answer: dict) -> tuple[Page, Sleepers]:
        expected_errors.append(r"503")
        page = visit()
        sleepers = Sleepers(page, PREVIEW, answer)
        page.goto(f"/studio/blackwhite/?folder={folder(2)}")
        return page, sleepers

    return studio


def test_studio_waits_until_they_are_awake(studio, shot):
    page, sleepers = studio(ASLEEP)
    note = page.get_by_role("status").get_by_text(NOTE)
    expect(note).to_be_visible()
    shot(page, "studio-waking", full=False)
    expect(page.get_by_role("alert").filter(has_text="preview")).to_have_count(0)

    sleepers.wake()

    expect(page.locator("[data-after]")).to_have_attribute("src", re.compile("^blob:"))
    expect(note).to_be_hidden()
    assert sleepers.asked >= 2


def test_studio_gives_up_after_a_while_and_offers_to_try_again(studio, shot):
    page, sleepers = studio(ASLEEP)
    expect(page.get_by_text(NOTE)).to_be_visible()

    page.evaluate(LATER)

    error = page.locator("[data-error]")
    expect(error).to_contain_text("did not wake up in a minute and a half")
    expect(page.get_by_text(NOTE)).to_be_hidden()
    shot(page, "studio-not-woken", full=False)
    sleepers.wake()
    error.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-after]")).to_have_attribute("src", re.compile("^blob:"))
    expect(error).to_be_hidden()


def test_studio_says_why_they_can_not_start(studio, shot):
    page, sleepers = studio(BROKEN)

    expect(page.locator("[data-error]")).to_contain_text("it does not exist")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    shot(page, "studio-cannot-wake", full=False)
    assert sleepers.asked == 1, "what can't start is not waited for"


def test_options_that_change_meanwhile_count(studio):
    page, sleepers = studio(ASLEEP)
    expect(page.get_by_text(NOTE)).to_be_visible()

    page.get_by_label("Mode").first.select_option(index=1)
    expect(page.get_by_text(NOTE)).to_be_visible()
    with page.expect_request(PREVIEW) as asked:
        sleepers.wake()
    expect(page.locator("[data-after]")).to_have_attribute("src", re.compile("^blob:"))

    chosen = page.get_by_label("Mode").first.input_value()
    assert f'"mode":"{chosen}"' in (asked.value.post_data_buffer or b"").decode(errors="replace")


def test_trying_a_listing_waits_too(visit, offers, size, shot):
    page = visit(None, f"/account/signup/?next=/market/{offers['Comic book']}/")  # one who owns nothing yet
    page.get_by_label("E-mail").fill(f"waking-{size.name}-{time.time_ns()}@example.org")
    page.get_by_label("Password", exact=True).fill("a-long-waking-password-7")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/market/*/")  # with its scripts: without them a form is sent as a page of its own
    sleepers = Sleepers(page, TRY, waking_note(), 200)
    [(name, data)] = small_photos(1)
    photo = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.locator("#try input[type=file]").set_input_files(photo)
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#try-result").get_by_text(NOTE)).to_be_visible()
    page.locator("#try").scroll_into_view_if_needed()
    shot(page, "listing-waking", full=False)

    page.evaluate(LATER)
    expect(page.locator("#try-result").get_by_role("alert")).to_contain_text("did not wake up")
    shot(page, "listing-not-woken", full=False)
    sleepers.wake()
    page.locator("#try-result").get_by_role("button", name="Try again").click()

    expect(page.locator("#try-result img[data-after]")).to_be_visible(timeout=30_000)


def waking_note() -> str:
    """What the server answers to htmx (tests/market/test_listing_view.py)."""
    return (
        '<div class="alert" data-waking="1"><span class="spinner try__spinner" aria-hidden="true"></span>'
        f'<div><strong>{NOTE}</strong><p class="small">They sleep while nobody needs them. This takes a few '
        "seconds; your result then comes by itself. No free preview was used.</p></div></div>"
    )
