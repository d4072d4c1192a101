"""A small client of the REST API, for tests that talk to a running platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx


def wait_until(check: Callable[[], Any], seconds: float, what: str, pause: float = 0.1) -> Any:
    """The first truthy answer of `check`. Fails the test with `what` when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


class Api:
    """Calls as one user. Retries only while the web process itself is being replaced."""

    def __init__(self, base_url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{base_url}/api/v1", headers=headers, timeout=30)

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        end = time.monotonic() + 30
        while True:
            try:
                response = self.http.request(method, path, **kwargs)
                if response.status_code not in {502, 503}:
                    return response
            except httpx.TransportError:
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise AssertionError(f"{method} {path} kept failing")
            time.sleep(0.2)

    def get(self, path: str, **params: Any) -> Any:
        response = self.call("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, expect: int = 201, **kwargs: Any) -> Any:
        response = self.call("POST", path, **kwargs)
        assert response.status_code == expect, response.text
        return response.json()

    def everything(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        page = self.get(path, **params)
        while True:
            found += page["items"]
            if not page["next"]:
                return found
            response = self.call("GET", page["next"])
            assert response.status_code == 200, response.text
            page = response.json()

    def upload(self, folder: str, files: Iterable[tuple[str, bytes]]) -> list[dict[str, Any]]:
        parts = [("files", (name, data, "image/jpeg")) for name, data in files]
        answer = self.post(f"/folders/{folder}/images", files=parts)
        assert answer["rejected"] == []
        return answer["items"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"/jobs/{job_id}")

    def wait_for_job(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in {"succeeded", "failed", "cancelled"} else None

        return wait_until(ended, seconds, f"job {job_id} to end")
