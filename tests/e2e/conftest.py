"""A real browser, at the size of a desktop and of a phone, on a real platform.

A test gets `visit`: called with a role (or None: logged out) it answers a new page of that person. When the
test ends, every page it opened is checked: no error in the console, no answer of 5xx, nothing wider than
the screen. What a test provokes on purpose it allows by `expected_errors`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.api_client import Api
from tests.kill.photos import photo
from tests.platform_fixture import ROOT, Platform

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}
SCREENS = ROOT / "test-results" / "screens"
expect.set_options(timeout=10_000)

# [status, photos done, milliseconds] of a job's page, each time its live part is another one.
WATCH_JOB = """() => {
  window.seen = [];
  const look = () => {
    const live = document.querySelector("#live");
    const last = window.seen.at(-1);
    if (!live || (last && last[0] === live.dataset.status && last[1] === Number(live.dataset.done))) return;
    window.seen.push([live.dataset.status, Number(live.dataset.done), Date.now()]);
  };
  look();
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}"""

Visit = Callable[..., Page]


@dataclass(frozen=True)
class Size:
    name: str
    options: dict[str, Any]

    @property
    def width(self) -> int:
        return int(self.options["viewport"]["width"])

    @property
    def is_phone(self) -> bool:
        return self.name == "phone"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.fail(f"the browser tests need one of {', '.join(BROWSERS)} on the PATH", pytrace=False)
    return {"executable_path": found}


@pytest.fixture(scope="session")
def base_url(platform: Platform) -> str:
    return platform.base_url


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> Size:
    return Size(request.param, SIZES[request.param])


def log_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


@pytest.fixture(scope="session")
def states(browser: Browser, platform: Platform) -> Callable[[str], Any]:
    """The cookies of a role, logged in once for the whole run."""
    kept: dict[str, Any] = {}

    def state(role: str) -> Any:
        if role not in kept:
            context = browser.new_context(base_url=platform.base_url)
            page = context.new_page()
            page.goto("/account/login/")
            log_in(page, platform.users[role].email, platform.users[role].password)
            page.wait_for_url("**/drive/")
            kept[role] = context.storage_state()
            context.close()
        return kept[role]

    return state


class Watch:
    """What goes wrong on pages without showing."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.allowed: list[str] = []

    def __call__(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("console", lambda entry: entry.type == "error" and self._note(page, entry))
        page.on(
            "response",
            lambda answer: answer.status >= 500 and self.problems.append(f"{answer.status} {answer.url}"),
        )

    def _note(self, page: Page, entry: Any) -> None:
        where = entry.location.get("url", "")
        self.problems.append(f"on {page.url}: {entry.text} {where}")

    @property
    def unexpected(self) -> list[str]:
        return [line for line in self.problems if not any(re.search(one, line) for one in self.allowed)]


@pytest.fixture
def expected_errors() -> list[str]:
    """Patterns of console errors that the test provokes. A test appends to it."""
    return []


@pytest.fixture
def visit(new_context, states, size: Size, expected_errors: list[str]) -> Iterator[Visit]:
    watch = Watch()
    watch.allowed = expected_errors
    opened: list[Page] = []

    def visit(role: str | None = "buyer", path: str = "") -> Page:
        known = {"storage_state": states(role)} if role else {}
        context: BrowserContext = new_context(**size.options, **known)
        context.set_default_timeout(10_000)
        context.on("page", watch)
        page = context.new_page()
        opened.append(page)
        if path:
            page.goto(path)
        return page

    yield visit
    for page in opened:
        if not page.is_closed():
            assert_fits(page, size)
    assert watch.unexpected == []


def assert_fits(page: Page, size: Size) -> None:
    """Nothing makes the page wider than the screen. (A phone's `innerWidth` would grow with it.)"""
    wide = page.evaluate(
        """width => document.documentElement.scrollWidth <= width ? [] :
          [...document.querySelectorAll("body *")]
            .filter(node => node.getBoundingClientRect().right > width + 1)
            .slice(0, 5).map(node => node.outerHTML.slice(0, 120))""",
        size.width,
    )
    assert wide == [], f"{page.url} is wider than {size.width} px"


@pytest.fixture(scope="session")
def screens() -> Path:
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS


@pytest.fixture
def shot(screens: Path, size: Size) -> Callable[..., None]:
    """Keep a picture of the page for people to look at: test-results/screens/<name>-<size>.png."""

    def shot(page: Page, name: str, full: bool = True) -> None:
        page.screenshot(path=screens / f"{name}-{size.name}.png", full_page=full, animations="disabled")

    return shot


# --- What the buyer has ---------------------------------------------------------------------------------


@pytest.fixture
def api(platform: Platform) -> Api:
    return platform.api("buyer")


@pytest.fixture
def folder(api: Api, request: pytest.FixtureRequest, size: Size) -> Callable[..., str]:
    """Make a folder of the buyer's with so many small photos. Its id."""

    def folder(photos: int = 0, name: str = "", **options: int) -> str:
        name = name or re.sub(r"\W+", " ", request.node.name)
        made: str = api.post("/folders", json={"name": name})["id"]
        if photos:
            api.upload(made, small_photos(photos, **options))
        return made

    return folder


def small_photos(count: int, width: int = 480, height: int = 360) -> list[tuple[str, bytes]]:
    return [(f"photo-{number:02}.jpg", photo(number, width, height)) for number in range(count)]


class JobWatch:
    """What a job's page shows from now on, until it is reloaded: a reload fails `seen`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate(WATCH_JOB)

    def seen(self) -> list[tuple[str, int, float]]:
        """(status, photos done, seconds since the epoch)."""
        return [(status, done, at / 1000) for status, done, at in self.page.evaluate("window.seen")]
