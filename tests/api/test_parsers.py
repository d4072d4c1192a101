"""Bodies that no parser can follow are the client's fault, on every route that reads JSON."""

from __future__ import annotations

import pytest

DEEP = "[" * 100_000


@pytest.mark.parametrize("path", ["folders", "jobs", "quotes", "token", "trash", "apps/blackwhite/preview"])
def test_deeply_nested_json_is_malformed(alice_api, path):
    response = alice_api.post(f"/api/v1/{path}", DEEP, content_type="application/json")

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "malformed"
