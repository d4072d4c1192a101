"""The whole platform in the cluster, applied with `kubectl apply -k`, and used by a person with a browser."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.api_client import wait_until
from tests.cluster.installation import URL, Installation
from tests.cluster.scripts import Scripts
from tests.e2e.conftest import browser_type_launch_args  # noqa: F401 - a fixture: which browser
from tests.kill.photos import photo

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning")]
PHOTOS = 36
SLOW = 60_000  # milliseconds: the cluster shares two cores with the browser and everything else
SCREENS = Path(__file__).resolve().parents[2] / "test-results" / "screens"


@pytest.fixture(scope="module")
def installation(cluster: Scripts) -> Iterator[Installation]:
    installation = Installation(cluster)
    try:
        yield installation.start()
    finally:
        installation.stop()


@pytest.fixture(scope="session")
def base_url() -> str:
    return URL


@pytest.fixture
def page(installation: Installation, new_context) -> Page:
    context = new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SLOW)
    return context.new_page()


def test_every_part_answers(installation: Installation) -> None:
    def states() -> dict[str, str]:
        try:
            return dict(httpx.get(f"{URL}/readyz", timeout=20).json())
        except (httpx.HTTPError, ValueError) as error:
            return {"web": str(error)}

    wait_until(
        lambda: set(states().values()) == {"ok"}, 120, "/readyz names nothing that is missing", pause=2
    )
    pods = json.loads(installation.kubectl("-n", "pixelyard", "get", "pods", "-o", "json"))["items"]
    running = Counter(
        pod["metadata"]["labels"]["app.kubernetes.io/name"]
        for pod in pods
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    )
    assert running["pixelyard-web"] >= 2
    assert running["pixelyard-controller"] == 2
    doctor = ("-n", "pixelyard", "exec", "deploy/web", "-c", "web", "--", "python", "manage.py", "doctor")
    assert "fail" not in installation.kubectl(*doctor)


def test_what_is_applied_is_what_the_api_server_accepts(installation: Installation) -> None:
    said = installation.kubectl("apply", "-k", str(installation.overlay), "--dry-run=server")

    assert len(said.splitlines()) > 50
    assert all(line.endswith("(server dry run)") for line in said.splitlines())


@pytest.mark.parametrize(
    ("account", "verb", "what", "namespace", "may"),
    [
        ("pixelyard-web", "delete", "pods", "pixelyard-jobs", False),
        ("pixelyard-web", "get", "secrets", "pixelyard", False),
        ("pixelyard-web", "list", "jobs", "pixelyard-jobs", False),
        ("pixelyard-worker", "create", "jobs", "pixelyard-jobs", False),
        ("pixelyard-controller", "create", "jobs", "pixelyard-jobs", True),
        ("pixelyard-controller", "delete", "jobs", "pixelyard-jobs", True),
        ("pixelyard-controller", "delete", "pods", "pixelyard-jobs", False),
        ("pixelyard-controller", "list", "nodes", "pixelyard-jobs", True),
        ("pixelyard-controller", "delete", "pods", "pixelyard", False),
        ("pixelyard-controller", "get", "secrets", "pixelyard-jobs", False),
        ("pixelyard-controller", "create", "pods", "pixelyard-jobs", False),
        ("pixelyard-controller", "create", "jobs", "default", False),
    ],
)
def test_rights(
    installation: Installation, account: str, verb: str, what: str, namespace: str, may: bool
) -> None:
    assert installation.may(account, verb, what, namespace) is may


def test_sign_up_upload_preview_run_and_read(page: Page) -> None:
    expect.set_options(timeout=SLOW)
    sign_up(page)
    upload(page, PHOTOS)

    page.get_by_role("link", name="Process folder").click()
    page.get_by_role("link", name="Pixel art").click()
    after = page.locator("[data-after]")
    expect(after).to_have_attribute("src", re.compile("^blob:"))
    expect(page.locator("[data-area]")).not_to_have_class(re.compile("is-stale"))
    shot(page, "cluster-studio")

    page.get_by_role("button", name=f"Run on {PHOTOS} photos").click()
    page.wait_for_url("**/jobs/*/", wait_until="domcontentloaded")
    expect(page.locator("#live[data-status=running]")).to_be_visible()
    pictures = page.get_by_role("region", name="Pictures")
    expect(pictures).to_be_visible(timeout=5 * SLOW)
    expect(page.locator("#live")).to_have_attribute("data-status", "succeeded")
    expect(page.locator("#live")).to_have_attribute("data-done", str(PHOTOS))
    shot(page, "cluster-job")

    pictures.get_by_role("link", name=f"All {PHOTOS} results").click()
    page.locator("#exports summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert sorted(row["name"] for row in rows) == [f"photo-{number:02}.jpg" for number in range(PHOTOS)]
    assert {row["status"] for row in rows} == {"ok"}
    by_node = Counter(row["node"] for row in rows)
    assert len(by_node) >= 2, by_node
    page.locator("#results li a").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"photo-\d\d\.jpg"), level=1)).to_be_visible()
    shot(page, "cluster-result")


def sign_up(page: Page) -> None:
    page.goto("/account/signup/")
    page.get_by_label("E-mail").fill(f"new-{secrets.token_hex(4)}@example.org")
    page.get_by_label("Password").fill("quiet-harbour-59-lamp")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Your drive is empty")).to_be_visible()


def upload(page: Page, count: int) -> None:
    """Large enough that one node has not finished before another begins."""
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name", exact=True).fill("Harbour")
    page.get_by_role("button", name="Create folder").click()
    page.get_by_role("link", name=re.compile("^Harbour")).click()
    expect(page.get_by_text("This folder is empty")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload photos").click()
    chooser.value.set_files(
        [
            {"name": f"photo-{n:02}.jpg", "mimeType": "image/jpeg", "buffer": photo(n, 3000, 2000)}
            for n in range(count)
        ]
    )
    uploads = page.get_by_role("region", name="Uploads")
    expect(uploads).to_contain_text(f"{count} uploaded", timeout=3 * SLOW)


def shot(page: Page, name: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True, animations="disabled")
