"""A preview server's answers: results by kind, refusals in one envelope, and the limit on what is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Refused(Exception):
    def __init__(
        self, status: int, code: str, message: str, fields: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        if status == 429:
            self.headers["Retry-After"] = "1"
        if status in (408, 413):  # the rest of the body is not read
            self.headers["Connection"] = "close"
        self.content = {"error": {"code": code, "message": message, "fields": dict(fields or {})}}


def response(kind: str, head: Mapping[str, Any], body: bytes) -> Response:
    timings: Mapping[str, float] = head["timings"]
    steps = ", ".join(f"{name.removesuffix('_ms')};dur={ms}" for name, ms in timings.items())
    headers = {"Server-Timing": steps}
    image = head["image"]
    if kind == "image" and image:
        return Response(body, media_type=image["media_type"], headers=headers)
    if kind == "text" and head["text"] is not None:
        return PlainTextResponse(head["text"], headers=headers)
    if kind == "html" and head["html"] is not None:
        return HTMLResponse(head["html"], headers=headers)
    if kind != "json":
        raise Refused(406, "not_acceptable", f"With these options the app makes no {kind}.")
    content = {name: head[name] for name in ("text", "html", "data") if head[name] is not None}
    if image:
        encoded = base64.b64encode(body).decode()
        content["image"] = {"content_type": image["media_type"], "base64": encoded}
        content["image"] |= {"width": image["width"], "height": image["height"]}
    return JSONResponse(content | {"timings": timings}, headers=headers)


def json_field(form: FormData, name: str) -> dict[str, Any]:
    text = form.get(name, "{}")
    try:
        value = json.loads(text if isinstance(text, str) else "")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid(name, "give a JSON object")
    return value


def invalid(field: str, text: str) -> Refused:
    return Refused(422, "invalid", f"{field}: {text}.", {field: [text]})


def add_error_handlers(app: FastAPI) -> None:
    """Everything that is refused or goes wrong has the one envelope."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.content, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed", 400: "invalid"}
        content = Refused(error.status_code, codes.get(error.status_code, "error"), str(error.detail)).content
        return JSONResponse(content, error.status_code, dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        content = Refused(500, "server_error", "The preview server failed. Try again.").content
        return JSONResponse(content, 500)


class BodyLimit:
    """Refuses a body of more than `most` bytes: by its announced length, or while it arrives."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            refused = self._refused()
            await JSONResponse(refused.content, refused.status, refused.headers)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise self._refused()
            return message

        await self._app(scope, counted, send)

    def _refused(self) -> Refused:
        return Refused(413, "too_large", f"The request has more than {self._most / 1e6:g} MB.")
