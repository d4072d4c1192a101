"""Staff start a benchmark and see it end; everyone reads, compares and asks the simulator."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.api_client import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def _finished(page: Page) -> None:
    """Without a reload by hand: the page does it itself."""
    expect(page.locator(".page__title .tag")).to_have_text("Succeeded", timeout=60_000)


def test_staff_run_a_benchmark_and_see_it_end(visit, platform, shot, size, expected_errors):
    expected_errors.append("422")
    page = visit("admin", "/benchmarks/")
    page.get_by_role("link", name="New benchmark").first.click()
    page.get_by_role("link", name="4:2:1").click()
    expect(page.get_by_label("Speeds")).to_have_value("4:2:1")
    page.get_by_label("Images", exact=True).fill("0")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("Images")
    expect(page.get_by_label("Speeds")).to_have_value("4:2:1")  # kept
    page.get_by_label("Images", exact=True).fill("120")
    page.get_by_label("Seeds").fill("3")
    page.get_by_label("Title").fill(f"By the browser, {size.name}")
    ticked = page.locator("input[name=policies]:checked").count()
    expect(page.locator("#bench-estimate")).to_contain_text(f"for {3 * (ticked + 2)} measurements")
    shot(page, "benchmark-new")
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("heading", name=f"By the browser, {size.name}")).to_be_visible()
    _finished(page)
    expect(page.locator(".bench-headline")).to_contain_text("less time than the slowest node alone")
    expect(page.locator(".bench-plot svg")).to_have_count(5)
    expect(page.get_by_role("row", name="pull")).to_be_visible()
    shot(page, "benchmark")

    page.locator("#exports > summary").click()
    with page.expect_download() as csv:
        page.get_by_role("link", name="Table as CSV").click()
    assert csv.value.path().read_text().startswith("case,policy,seeds")
    if not page.get_by_role("link", name="A page that stands alone").is_visible():
        page.locator("#exports > summary").click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="A page that stands alone").click()
    expect(popup.value.get_by_role("heading", name="Beside the original")).to_be_visible()
    popup.value.close()

    page.goto("/benchmarks/")
    boxes = page.get_by_role("checkbox")
    expect(boxes.nth(1)).to_be_visible()
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Compare those ticked").click()
    expect(page.get_by_role("heading", name="2 benchmarks side by side")).to_be_visible()
    shot(page, "benchmarks-compared")

    page.go_back()
    page.get_by_role("link", name=f"By the browser, {size.name}").click()
    page.get_by_label("More").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete benchmark").click()
    expect(page).to_have_url(f"{platform.base_url}/benchmarks/")
    expect(page.get_by_role("link", name=f"By the browser, {size.name}")).to_have_count(0)


def test_demo_benchmark_was_really_run(visit, platform, shot):
    api = platform.api("buyer")
    run = wait_until(
        lambda: next((one for one in api.everything("/benchmarks") if one["status"] == "succeeded"), None),
        60,
        "no benchmark has ended",
    )
    page = visit("buyer", f"/benchmarks/{run['id']}/")
    expect(page.locator(".bench-headline")).to_contain_text("pull")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("link", name="Run again")).to_have_count(0)
    shot(page, "benchmark-demo")


def test_real_benchmark_runs_on_the_nodes(visit, platform, size):
    if size.is_phone:
        pytest.skip("once is enough")
    page = visit("admin", "/benchmarks/new/?preset=equal")
    page.get_by_text("Real nodes").click()
    page.get_by_label("Images", exact=True).fill("16")
    page.get_by_label("Seconds an image").fill("0.05")
    page.get_by_label("Seeds").fill("1")
    for box in page.locator("input[name=policies]").all():
        box.set_checked(box.get_attribute("value") in {"pull", "round_robin"})
    page.get_by_label("Title").fill("Real")
    page.get_by_role("button", name="Start").click()

    expect(page.locator(".page__title .tag")).to_have_text("Succeeded", timeout=120_000)
    rows = platform.api("admin").get(
        page.url.replace(f"{platform.base_url}/benchmarks", "/benchmarks").rstrip("/")
    )
    assert {row["policy"] for row in rows["rows"]} == {"pull", "round_robin"}
    assert all(row["images"] == 16 and row["unfinished"] == 0 for row in rows["rows"])


def test_anyone_asks_what_if_by_keyboard(visit, shot, size, expected_errors):
    expected_errors.append("422")
    page = visit("buyer", "/benchmarks/")
    page.get_by_role("link", name="What if").click()
    speeds = page.get_by_label("Speeds")
    speeds.fill("4:2:1")
    page.get_by_label("In minutes").fill("2")
    speeds.press("Enter")
    answer = page.locator("#answer")
    expect(answer).to_contain_text("Take pull", timeout=20_000)
    expect(answer.locator("svg")).to_have_count(2)
    expect(answer).to_be_in_viewport()
    shot(page, "what-if")

    shared = page.url
    assert "nodes=4%3A2%3A1" in shared
    other = visit("seller", shared)
    expect(other.locator("#answer")).to_contain_text("Take pull")

    page.get_by_label("Speeds").fill("fast")
    page.get_by_role("button", name="Ask the simulator").click()
    expect(page.get_by_role("alert")).to_contain_text("Write speeds such as 4:2:1")
    shot(page, "what-if-wrong")


def test_what_if_works_without_javascript(new_context, states, size):
    context = new_context(**size.options, storage_state=states("buyer"), java_script_enabled=False)
    page = context.new_page()
    page.goto("/benchmarks/what-if/")
    page.get_by_label("Images", exact=True).fill("50")
    page.get_by_role("button", name="Ask the simulator").click()
    expect(page.locator("#answer")).to_contain_text("Take ", timeout=20_000)
    assert "images=50" in page.url
    context.close()
