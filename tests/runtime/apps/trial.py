"""`trial` fails in every way an app can; `fitted` shares a value across a job."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from model_images.runtime.contract import (
    BadImage,
    BadParams,
    Context,
    Header,
    ImageParams,
    Params,
    Processor,
    Result,
    Source,
)

Act = Literal[
    "invert", "text", "wait", "sleep", "spin", "die", "raise", "oserror", "bad_image", "bad_params", "memory",
    "nan", "huge", "wrong", "escape",
]  # fmt: skip


class TrialParams(ImageParams):
    act: Act = Field(default="invert", description="what to do", examples=["text"])
    path: str = Field(default="", description="wait until this file exists; or a file to steal")


class Trial(Processor[TrialParams]):
    name = "trial"
    title = "Trial"
    summary = "Does what tests ask for."
    kind = "filter"
    version = "7"
    outputs = ("image", "text", "html", "data")
    Params = TrialParams

    def output_pixels(self, header: Header, params: TrialParams) -> int:
        return 10**12 if params.act == "huge" else header.pixels

    def process(self, source: Source, params: TrialParams, context: Context) -> Result:
        act = getattr(self, f"_{params.act}", None)
        if act is not None:
            return act(source, params)
        image = 255 - source.rgb()
        if params.act == "text":
            return Result(image, "text", "<p>html</p>", {"mean": float(image.mean())}, prefer="png")
        return Result(image, prefer="png")

    def _wait(self, source: Source, params: TrialParams) -> Result:
        """Until the test lets go; a file beside it says that this was reached."""
        go = Path(params.path)
        (go.parent / f"reached-{os.getpid()}").touch()
        while not go.exists():
            time.sleep(0.005)
        return Result(255 - source.rgb(), prefer="png")

    def _sleep(self, source: Source, params: TrialParams) -> Result:
        try:
            time.sleep(60)
        except Exception:  # an app's own error handling must not swallow the time limit
            return Result(text="swallowed")
        return Result(text="slept")

    def _spin(self, source: Source, params: TrialParams) -> Result:
        """In C, where no signal handler of Python runs."""
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 400_000_000)
        return Result(text="spun")

    def _die(self, source: Source, params: TrialParams) -> Result:
        os.kill(os.getpid(), signal.SIGKILL)
        return Result()

    def _raise(self, source: Source, params: TrialParams) -> Result:
        raise KeyError("a secret of the app")

    def _oserror(self, source: Source, params: TrialParams) -> Result:
        raise OSError("cannot identify image file")

    def _bad_image(self, source: Source, params: TrialParams) -> Result:
        raise BadImage("too_small", "The photo is too small for this app.")

    def _bad_params(self, source: Source, params: TrialParams) -> Result:
        raise BadParams("More columns than pixels.", {"columns": ["too many"]})

    def _memory(self, source: Source, params: TrialParams) -> Result:
        # More than a process can address: refused even where the kernel promises memory that it hasn't.
        return Result(data={"sum": int(np.ones(1 << 50, np.uint8).sum())})

    def _nan(self, source: Source, params: TrialParams) -> Result:
        return Result(data={"mean": float("nan")})

    def _wrong(self, source: Source, params: TrialParams) -> Result:
        return Result(np.zeros((2, 2), np.float32))  # type: ignore[arg-type]

    def _escape(self, source: Source, params: TrialParams) -> Result:
        """Try to get out, and tell what happened."""
        attempts = {
            "read": lambda: Path(params.path).read_bytes(),
            "socket": lambda: socket.socket(),
            "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
            "fork": os.fork,
        }
        return Result(data={name: _outcome(attempt) for name, attempt in attempts.items()})


def _outcome(attempt: Any) -> str:
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "allowed"


class FittedParams(Params):
    strict: bool = Field(default=False, description="refuse to fit", examples=[True])


class Fitted(Processor[FittedParams]):
    name = "fitted"
    title = "Fitted"
    summary = "Shares the mean of its sample."
    kind = "filter"
    version = "1"
    outputs = ("data",)
    Params = FittedParams

    def fit(self, sources: Sequence[Source], params: FittedParams) -> Mapping[str, Any] | None:
        if params.strict:
            raise BadParams("Can't fit.")
        means = [float(source.gray().mean()) for source in sources]
        return {"count": len(means), "mean": round(sum(means) / len(means), 3), "pid": os.getpid()}

    def process(self, source: Source, params: FittedParams, context: Context) -> Result:
        assets = {name: [path.name for path in paths] for name, paths in context.assets.items()}
        return Result(data={"shared": dict(context.shared or {}), "assets": assets})
