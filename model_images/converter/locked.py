"""The process that opens the upload: a fork that loads what it needs, locks itself in, does one step and
writes its answer to a pipe."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import Any

from model_images.converter import limits
from model_images.converter.steps import Options
from model_images.runtime import lockin

EXIT_OK, EXIT_ERROR = 0, 1
STEPS = ("convert", "check", "measure")


def main(options: Options, pipe: int, parent: int) -> None:
    """Never returns. The process ends with its parent, whatever happens to that."""
    lockin.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(EXIT_ERROR)
    os.dup2(2, 1)  # what libraries print is no answer
    status = EXIT_ERROR
    scratch = options.out / ".tmp"
    try:
        scratch.mkdir(exist_ok=True)
        tempfile.tempdir = str(scratch)  # torch keeps caches, and only `out` can be written to
        answer = _run(options)
        with os.fdopen(pipe, "w") as file:
            json.dump(answer, file)
        status = EXIT_OK
    except BaseException:  # the parent calls it a crash; the words are for the log
        traceback.print_exc()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        sys.stderr.flush()
        os._exit(status)


def _run(options: Options) -> dict[str, Any]:
    from model_images.converter.architecture import Rejected

    _load(options)
    enter(options)
    from model_images.converter import steps

    try:
        return {"convert": steps.convert, "check": steps.check, "measure": steps.measure}[options.step](
            options
        )
    except Rejected as refusal:
        return {"status": "rejected", "code": refusal.code, "message": refusal.message}
    except MemoryError:
        return {
            "status": "rejected",
            "code": "too_much_memory",
            "message": f"To {options.step} this file takes more memory than the converter has.",
        }


def _load(options: Options) -> None:
    """Import everything while it can still be read, and before strangers' bytes are in the process."""
    from model_images.runtime import threads  # noqa: F401 - first: libraries read the environment once

    if options.step == "convert":
        from model_images.converter import contents  # noqa: F401
    else:
        from model_images.converter import checking, measuring  # noqa: F401
        from model_images.runtime import registry

        registry.processors()
    if options.torch:
        from model_images.converter import export, loading, registry  # type: ignore[no-redef] # noqa: F401

        registry.known()  # type: ignore[attr-defined]
        _warm_up()


def _warm_up() -> None:
    """torch looks at the processor when it first computes, in files that are out of reach later, and loads
    more of itself when it first computes on shapes alone."""
    import torch

    torch.nn.functional.conv2d(torch.zeros(1, 8, 8, 8), torch.zeros(8, 8, 3, 3))
    with torch.device("meta"):
        torch.arange(3.0)


def enter(options: Options) -> list[str]:
    """Lock this process in: it sees the code, the upload and the stock photos, and writes to `out` only."""
    from model_images.runtime.registry import package_folders

    logging.getLogger("model_images.runtime.lockin").setLevel(logging.ERROR)
    seconds = limits.SECONDS[options.step] * 2
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    files = [path for path in (options.upload, options.labels) if path is not None]
    return lockin.enter(lockin.Box(read=(*package_folders(), *files), write=(options.out,), network=False))
