"""The preview server: `POST /<route>` with a photo, options and weights, answered at once.

It parses HTTP and nothing else; photos are decoded by the pool's locked-in workers. Errors come in one
envelope, `{"error": {"code", "message", "fields"}}`: 413 and 422 for what is wrong with photo or options,
404, 406, 401, 429.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser

from jobfolder import Limits, drive_path, weights_path
from model_images.runtime import docs_page, health, registry
from model_images.runtime.answers import BodyLimit, Refused, add_error_handlers, invalid, json_field, response
from model_images.runtime.contract import Route
from model_images.runtime.measures import Measures
from model_images.runtime.negotiation import choose
from model_images.runtime.pool import Failed, Pool
from model_images.runtime.presence import Presence
from model_images.runtime.registry import AnyProcessor

EXTRA_BYTES = 1_000_000  # of a request besides the photo: options, and thousands of file names
MAX_WAITING = 64  # requests beyond the slots; their photos lie in memory
Photo = bytes | Path  # one in the drive is read when its turn has come
_STATUS = {"too_large": 413, "weights_too_large": 413, "unknown_weights": 404}  # of refusals; else 422


@dataclass(frozen=True)
class ServerSettings:
    data_dir: Path
    node: str
    name: str  # the node's, or its own where several share a node
    slots: int = 1
    seconds: float = 18.0
    token: str = ""  # empty: only for a server that nobody but this machine can reach
    limits: Limits = field(default_factory=Limits)


class Server:
    """What the routes share."""

    def __init__(self, settings: ServerSettings, pool: Pool) -> None:
        self.settings = settings
        self.pool = pool
        self.measures = Measures()
        self._limiter = CapacityLimiter(settings.slots)

    async def preview(self, processor: AnyProcessor, route: Route, request: Request) -> Response:
        """Answer a request to process one photo."""
        self._authorize(request)
        with self.measures.of(processor.name) as measure:
            if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
                raise Refused(429, "too_many", "The server is busy. Try again in a moment.")
            question, owner, photo = await self._read(processor, route, request)
            accept = request.headers.get("accept", "*/*")
            kind = choose(accept, processor.outputs) if route.accept else "json"
            if kind is None:
                outputs = ", ".join(processor.outputs)
                raise Refused(406, "not_acceptable", f"This app makes {outputs}, and JSON of all of them.")
            question["only"] = None if kind == "json" else kind
            head, body = await self._ask(question, photo, owner)
            measure.status = "ok"
            self.measures.loaded(head["timings"].get("load_ms"))
            return response(kind, head, body)

    def _authorize(self, request: Request) -> None:
        expected = self.settings.token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if expected and not hmac.compare_digest(given.encode(), expected.encode()):
            raise Refused(401, "not_authenticated", "Send the server's token as a Bearer token.")

    async def _read(
        self, processor: AnyProcessor, route: Route, request: Request
    ) -> tuple[dict[str, Any], str | None, Photo]:
        """The question, whose files it names, and the photo."""
        try:
            async with (
                asyncio.timeout(self.settings.seconds),
                request.form(max_files=1, max_fields=8, max_part_size=EXTRA_BYTES) as form,
            ):
                question, owner = self._question(processor, route, form)
                photo = await self._photo(form, optional=processor.photo_optional)
                return question | {"photo": photo is not None}, owner, photo or b""
        except TimeoutError:
            raise Refused(408, "too_slow", "The request did not arrive in time.") from None

    def _question(
        self, processor: AnyProcessor, route: Route, form: FormData
    ) -> tuple[dict[str, Any], str | None]:
        """What to ask a worker, and whose files it must be able to read, if any."""
        assets: dict[str, list[tuple[str, str]]] = {}
        for option, files in json_field(form, "assets").items():
            if not isinstance(files, list):
                raise invalid("assets", "each option's value is a list of <owner>/<sha256>")
            assets[option] = [self._owner_and_hash("assets", text) for text in files]
        owners = {owner for files in assets.values() for owner, _ in files}
        if len(owners) > 1:
            raise invalid("assets", "all files belong to one owner")
        question = {
            "processor": processor.name,
            "params": json_field(form, "params") | dict(route.params),
            "assets": assets,
            "weights": self._weights(processor, form),
        }
        limits = asdict(self.settings.limits)
        return question | {"limits": limits}, owners.pop() if owners else None

    def _weights(self, processor: AnyProcessor, form: FormData) -> str | None:
        """The sha256 of the weights, if the processor needs some and they are there."""
        given = form.get("weights")
        if not processor.needs_weights:
            if given:
                raise invalid("weights", f"{processor.name} takes no weights")
            return None
        try:
            path = weights_path(self.settings.data_dir, given if isinstance(given, str) else "")
        except ValueError:
            raise invalid("weights", "give the sha256 of the weights, 64 small hex digits") from None
        if not path.is_file():
            raise Refused(404, "unknown_weights", "There are no weights with this sha256.")
        return path.stem

    def _owner_and_hash(self, field: str, text: object) -> tuple[str, str]:
        owner, _, sha256 = str(text).partition("/")
        try:
            drive_path(self.settings.data_dir, owner, sha256)
        except ValueError:
            raise invalid(field, "give <owner>/<sha256>") from None
        return owner, sha256

    async def _photo(self, form: FormData, *, optional: bool) -> Photo | None:
        """What was sent, or where in the drive it lies."""
        file, path = form.get("file"), form.get("path")
        if file is None and path is None and optional:
            return None
        if (file is None) == (path is None):
            raise invalid("file", "send either file or path")
        if isinstance(file, UploadFile):
            return await file.read()
        if path is None:
            raise invalid("file", "send the photo as a file, with a file name")
        return drive_path(self.settings.data_dir, *self._owner_and_hash("path", path))

    async def _ask(
        self, question: dict[str, Any], photo: Photo, owner: str | None
    ) -> tuple[dict[str, Any], bytes]:
        def ask() -> tuple[dict[str, Any], bytes]:
            return self.pool.ask(question, _bytes_of(photo), owner)

        try:
            head, body = await to_thread.run_sync(ask, limiter=self._limiter)
        except Failed as error:
            raise Refused(422, error.code, error.message) from error
        refusal = head.get("error")
        if refusal:
            status = _STATUS.get(refusal["code"], 422)
            raise Refused(status, refusal["code"], refusal["message"], refusal["fields"])
        return head, body


def _bytes_of(photo: Photo) -> bytes:
    try:
        return photo if isinstance(photo, bytes) else photo.read_bytes()
    except FileNotFoundError:
        raise Refused(404, "not_found", "There is no such photo in the drive.") from None


def build(
    settings: ServerSettings,
    pool: Pool,
    presence: Presence,
) -> FastAPI:
    """The application. Its pool is started and stopped with it; it is announced once it can answer, and until
    it is about to stop."""
    MultiPartParser.spool_max_size = settings.limits.max_bytes + EXTRA_BYTES  # bounded: so in memory

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(pool.start)
        presence.start()
        yield
        presence.stop()
        await to_thread.run_sync(pool.stop)

    app = FastAPI(
        title="Pixelyard preview server",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    server = Server(settings, pool)
    catalogue = registry.describe()["processors"]
    for entry in catalogue:
        processor = registry.processors()[entry["name"]]
        for route in processor.ways_in:
            _add_route(app, server, processor, route, entry)

    health.add_routes(app, settings.node, settings.data_dir, pool, presence.trouble)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(server.measures.text(), media_type=server.measures.media_type)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page.page(catalogue, str(request.base_url).rstrip("/")))

    add_error_handlers(app)
    app.add_middleware(BodyLimit, most=settings.limits.max_bytes + EXTRA_BYTES)
    return app


def _add_route(
    app: FastAPI, server: Server, processor: AnyProcessor, route: Route, entry: Mapping[str, Any]
) -> None:
    async def endpoint(request: Request) -> Response:
        return await server.preview(processor, route, request)

    app.add_api_route(
        f"/{route.path}",
        endpoint,
        methods=["POST"],
        summary=route.summary,
        operation_id=route.path.replace("-", "_"),
        response_class=Response,
        openapi_extra={"requestBody": _request_body(entry)},
        responses=_responses(processor, route),
    )


def _request_body(entry: Mapping[str, Any]) -> dict[str, Any]:
    asset = {"type": "array", "items": {"type": "string", "pattern": "^[^/]+/[0-9a-f]{64}$"}}
    properties = {
        "file": {"type": "string", "format": "binary", "description": "the photo"},
        "path": {"type": "string", "description": "or a photo in the drive: <owner>/<sha256>"},
        "params": entry["params_schema"],
        "assets": {"type": "object", "additionalProperties": asset},
    }
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if entry["weights"]:
        text = f"sha256 of weights of the family {entry['family']}"
        properties["weights"] = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": text}
        schema["required"] = ["weights"]
    encoding = {"params": {"contentType": "application/json"}, "assets": {"contentType": "application/json"}}
    form = {"schema": schema, "encoding": encoding}
    plain = {"schema": schema | {"properties": {k: v for k, v in properties.items() if k != "file"}}}
    content = {"multipart/form-data": form, "application/x-www-form-urlencoded": plain}
    return {"required": True, "content": content}


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_REFUSALS = {
    401: "Wrong token",
    404: "No such photo, or no such weights",
    406: "The app doesn't make this kind of answer",
    408: "The request did not arrive in time",
    413: "The photo is too large, or the weights need more memory than there is",
    422: "The photo, the options or the weights can't be used",
    429: "The server is busy",
}
_JSON_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_KINDS = {"image": {"image/*": _BINARY}, "text": {"text/plain": _TEXT}, "html": {"text/html": _TEXT}}


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": _JSON_OBJECT}


def _responses(processor: AnyProcessor, route: Route) -> dict[int | str, dict[str, Any]]:
    content: dict[str, Any] = dict(_JSON_OBJECT)
    text = "What the app made, as JSON"
    if route.accept:
        text = "What the app made, as the Accept header asks"
        for kind in processor.outputs:
            content |= _KINDS.get(kind, {})
    refusals: dict[int | str, dict[str, Any]] = {status: _refusal(why) for status, why in _REFUSALS.items()}
    return {200: {"description": text, "content": content}, **refusals}
