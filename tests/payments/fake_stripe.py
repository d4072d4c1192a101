"""Stripe's HTTP API as far as we use it, on a socket. The real library talks to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class FakeStripe:
    """Remembers what was asked for, and answers an Idempotency-Key with what it answered before."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.failures: list[tuple[int, dict[str, Any]]] = []  # answered first, one a call
        self.capability = "inactive"
        self._answers: dict[tuple[str, str], dict[str, Any]] = {}
        self._count = 0

    def handle(
        self, method: str, path: str, body: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        self.calls.append((method, path, body, headers))
        if headers.get("authorization") != "Bearer sk_test_fake":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
        if self.failures:
            return self.failures.pop(0)
        key = (path, headers.get("idempotency-key", ""))
        if method == "POST" and key[1] and key in self._answers:
            return 200, self._answers[key]
        answer = self._make(method, path, body)
        self._answers[key] = answer
        return 200, answer

    def _make(self, method: str, path: str, body: dict[str, str]) -> dict[str, Any]:
        self._count += 1
        number = self._count
        if path == "/v1/checkout/sessions":
            url = f"https://checkout.stripe.com/c/pay/cs_test_{number}"
            return {"id": f"cs_test_{number}", "object": "checkout.session", "url": url}
        if path == "/v1/transfers":
            return {"id": f"tr_{number}", "object": "transfer", "amount": int(body["amount"])}
        if path.startswith("/v1/accounts"):
            account = path.removeprefix("/v1/accounts").strip("/") or f"acct_{number}"
            return {"id": account, "object": "account", "capabilities": {"transfers": self.capability}}
        if path == "/v1/account_links":
            url = f"https://connect.stripe.com/setup/{number}"
            return {"object": "account_link", "url": url}
        raise AssertionError(f"{method} {path} is not known here")


@contextmanager
def serve() -> Iterator[FakeStripe]:
    fake = FakeStripe()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = dict(parse_qsl(self.rfile.read(length).decode()))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = fake.handle(self.command, urlsplit(self.path).path, body, headers)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
