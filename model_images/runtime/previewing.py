"""A preview server's worker: a locked-in process that answers one question after another over a pipe.

Messages are JSON and bytes, never pickles: what comes back was made by a process that handled a stranger's
file. A worker without an owner sees no drive at all, because the photo comes with the question; one with an
owner sees that owner's files, for options that name a folder of theirs. All may read weights, and keep those
that they have loaded.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from jobfolder import Limits, drive_path
from model_images.runtime import lockin, sessions
from model_images.runtime.contract import BadImage, BadParams, BadWeights, Context, Weights
from model_images.runtime.messages import Packed, pack, receive, send
from model_images.runtime.registry import package_folders, processors
from model_images.runtime.sources import NoPhoto, open_source
from model_images.runtime.work import Timings, apply, has_fit, image_limits, load_params

log = logging.getLogger(__name__)


PING: dict[str, Any] = {"ping": True}  # answered with itself


def main(pipe: Connection, data_dir: str, owner: str | None) -> None:
    """The process. Never returns; ends with its server."""
    from model_images.runtime import warm  # loaded in the fork server already

    lockin.die_with_parent(signal.SIGKILL)
    if os.getppid() != warm.SERVER_PID:
        os._exit(1)
    os.setsid()
    kept = pipe.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, 65_536)
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s"
    )
    faulthandler.enable()
    cache = Path(data_dir) / "cache" / owner if owner else None
    lockin.enter(_box(Path(data_dir), owner, cache))
    with suppress(EOFError, OSError):  # the server closed the pipe, or is gone
        while True:
            question, photo = receive(pipe)
            send(pipe, pack(PING) if question == PING else answer(question, photo, Path(data_dir), cache))
    os._exit(0)


def _box(data_dir: Path, owner: str | None, cache: Path | None) -> lockin.Box:
    weights = data_dir / "weights"
    with suppress(OSError):  # what isn't there when the process locks itself in stays out of reach
        weights.mkdir(parents=True, exist_ok=True)
    if owner is None or cache is None:
        return lockin.Box(read=(weights, *package_folders()), write=())
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return lockin.Box(read=(data_dir / "drive" / owner, weights, *package_folders()), write=(cache,))


def answer(question: Mapping[str, Any], photo: bytes, data_dir: Path, cache: Path | None) -> Packed:
    """A question's answer; whatever goes wrong is an answer, too."""
    try:
        return _process(question, photo, data_dir, cache)
    except BadParams as error:
        return _refusal("invalid", error.message, error.fields)
    except (BadImage, BadWeights) as error:
        return _refusal(error.code, error.message)
    except Exception as error:
        if isinstance(error, MemoryError) or "Insufficient memory" in str(error):
            return _refusal("out_of_memory", "Processing this photo needs more memory than a worker has.")
        log.exception("a preview failed")
        return _refusal("app_error", f"The app failed on this photo ({type(error).__name__}).")


def _refusal(code: str, message: str, fields: Mapping[str, list[str]] | None = None) -> Packed:
    return pack({"error": {"code": code, "message": message, "fields": dict(fields or {})}})


def _process(question: Mapping[str, Any], photo: bytes, data_dir: Path, cache: Path | None) -> Packed:
    processor = processors()[question["processor"]]
    params = load_params(processor, question["params"])
    limits = Limits(**question["limits"])
    timings = Timings()
    with timings.of("read_ms"):
        source = open_source(photo, image_limits(limits)) if question["photo"] else NoPhoto()
    weights = _weights(question, data_dir, timings)
    shared = None
    if has_fit(processor):
        with timings.of("fit_ms"):
            shared = processor.fit([source], params)
    assets = {
        option: [drive_path(data_dir, owner, sha256) for owner, sha256 in files]
        for option, files in question["assets"].items()
    }
    context = Context(shared, assets, cache, weights, question["only"])
    done = apply(processor, source, params, context, limits, timings)
    image = done.image
    head = {
        "image": {"media_type": image.media_type, "width": image.width, "height": image.height}
        if image
        else None,
        "text": done.text,
        "html": done.html,
        "data": None if done.data is None else dict(done.data),
        "timings": timings.ms,
    }
    return pack(head, image.data if image else b"")


def _weights(question: Mapping[str, Any], data_dir: Path, timings: Timings) -> Weights | None:
    """`load_ms` is in the timings only when they had to be loaded. Raises BadWeights, MemoryError."""
    sha256: str | None = question["weights"]
    if sha256 is None:
        return None
    kept, family = sessions.sessions(), processors()[question["processor"]].family
    if sha256 in kept:
        return kept.get(data_dir, sha256, family)
    with timings.of("load_ms"):
        return kept.get(data_dir, sha256, family)
