"""`prober` takes as long, and as much memory, as a test wants, or tries to get out."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import Field

from model_images.runtime.contract import Context, ImageParams, Processor, Result, Source

from . import _attempts


class ProberParams(ImageParams):
    act: Literal["invert", "escape", "memory", "hog"] = Field(
        default="invert", description="what to do after the wait", examples=["escape"]
    )
    seconds: float = Field(default=0.0, ge=0, le=60, description="to wait first", examples=[0.5])
    megabytes: int = Field(default=0, ge=0, le=100_000, description="to fill", examples=[600])
    known: dict[str, str] = Field(
        default_factory=dict, description="see _attempts", examples=[{"api": "10.0.0.1:443"}]
    )


class Prober(Processor[ProberParams]):
    name = "prober"
    title = "Prober"
    summary = "Does what the cluster's tests ask for."
    kind = "filter"
    version = "1"
    outputs = ("image", "data")
    Params = ProberParams

    def process(self, source: Source, params: ProberParams, context: Context) -> Result:
        time.sleep(params.seconds)
        data = None
        if params.act == "escape":
            data = {**_attempts.facts(), "attempts": _attempts.outcomes(params.known)}
        elif params.act in {"memory", "hog"}:
            data = {"bytes": _fill(params.megabytes, at_once=params.act == "memory")}
        return Result(255 - source.rgb(), data=data, prefer="png")


def _fill(megabytes: int, *, at_once: bool) -> int:
    """Memory that is really used: every page is written."""
    if at_once:
        return len(bytearray(b"\x01") * (megabytes << 20))
    held = [bytearray(b"\x01") * (1 << 20) for _ in range(megabytes)]
    return sum(map(len, held))
