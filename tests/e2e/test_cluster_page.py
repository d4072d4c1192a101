"""Staff steer the cluster; everyone else looks on."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def test_staff_change_the_policy_and_cordon_a_node(visit, platform, shot):
    admin = platform.api("admin")
    before = admin.get("/cluster")["policy"]
    page = visit("admin", "/cluster/")
    shot(page, "cluster-staff")
    policy = page.locator("#cluster-policy")
    policy.get_by_role("radio", name="round_robin", exact=False).first.check()
    policy.get_by_role("button", name="Use this policy").click()
    expect(policy.locator(".tag")).to_have_text("round_robin")
    assert admin.get("/cluster")["policy"] == "round_robin" != before

    node = page.locator(".cluster-node", has_text="node-2")
    node.get_by_role("button", name="Cordon node-2").click()
    page.get_by_role("dialog", name="Cordon node-2?").get_by_role("button", name="Cordon").click()
    expect(node.locator(".tag")).to_have_text("cordoned")
    shot(page, "cluster-cordoned")
    assert _states(admin)["node-2"] == "cordoned"
    node.get_by_role("button", name="Uncordon node-2").click()
    expect(node.locator(".tag")).not_to_have_text("cordoned")
    assert _states(admin)["node-2"] == "ready"

    policy.get_by_role("radio", name="As the environment says").check()
    policy.get_by_role("button", name="Use this policy").click()
    expect(policy).to_contain_text("Set by the environment.")
    assert admin.get("/cluster")["policy"] == before


def test_buyer_sees_and_changes_nothing(visit, platform, shot):
    page = visit("buyer", "/cluster/")
    expect(page.locator(".cluster-node")).to_have_count(2)
    expect(page.get_by_role("button", name="Use this policy")).to_have_count(0)
    expect(page.get_by_role("button", name="Cordon")).to_have_count(0)
    shot(page, "cluster")

    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": platform.base_url}
    for path, form in [
        ("/cluster/policy/", {"policy": "random"}),
        ("/cluster/nodes/node-1/", {"action": "cordon"}),
    ]:
        answer = page.context.request.post(path, form=form, headers=headers)
        assert "staff" in answer.text().lower() or answer.status in {403, 404}
    admin = platform.api("admin")
    assert admin.get("/cluster")["policy"] != "random"
    assert _states(admin)["node-1"] == "ready"


def _states(admin) -> dict[str, str]:
    return {node["name"]: node["status"] for node in admin.everything("/nodes")}
