"""What orchestrators ask a preview server.

/healthz  is it alive? No means: start it again.
/readyz   can it serve? No means: send it nothing. A volume that is away is no reason to start anything again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from anyio import to_thread
from fastapi import FastAPI

from jobfolder import weights_path
from model_images.runtime.answers import Refused
from model_images.runtime.pool import Pool
from model_images.runtime.registry import processors

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "It can't just now", "content": {"application/json": {"schema": {"type": "object"}}}}
}


def add_routes(app: FastAPI, node: str, data_dir: Path, pool: Pool, absent: Callable[[], str]) -> None:
    """`absent`: why others don't know of this server, or ""."""

    @app.get("/healthz", summary="Is the server alive?", responses=NOT_READY)
    async def healthz() -> dict[str, str]:
        if not await to_thread.run_sync(pool.ready):
            _refuse("No preview worker can be started.")
        return {"status": "ok", "node": node}

    @app.get("/readyz", summary="Can the server serve?", responses=NOT_READY)
    async def readyz() -> dict[str, str]:
        trouble = absent() or await to_thread.run_sync(_unreadable, data_dir)
        if trouble:
            _refuse(trouble)
        if not await to_thread.run_sync(pool.ready):
            _refuse("No preview worker can be started.")
        return {"status": "ok", "node": node}


def _refuse(text: str) -> NoReturn:
    raise Refused(503, "not_ready", text)


def _unreadable(data_dir: Path) -> str:
    """What of the volume can't be read, or ""."""
    try:
        os.scandir(data_dir).close()
        if any(processor.needs_weights for processor in processors().values()):
            os.scandir(weights_path(data_dir, "0" * 64).parent).close()
    except OSError as error:
        return f"The data folder can't be read: {error.strerror}."
    return ""
