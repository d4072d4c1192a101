"""Installs in the background what the platform can start without: the converter's environment with torch."""

from __future__ import annotations

import shutil
from functools import partial
from time import monotonic

from marketplace import converter_python
from marketplace.embedded import plan
from marketplace.embedded.log import Log
from marketplace.embedded.options import ROOT, Options
from marketplace.embedded.supervisor import Supervisor

NEEDED = 6_000_000_000  # bytes: torch with CUDA, unpacked; the build without it takes a fifth


def converter(chosen: Options, supervisor: Supervisor, log: Log) -> None:
    """Start it where checkpoints can't be converted yet. A failure is one line, and nothing else."""
    if not chosen.install_converter or not converter_python.is_missing(chosen.converter_python):
        return
    if missing := [tool for tool in ("make", "nice") if shutil.which(tool) is None]:
        log.say(
            f"converter: not installed, {missing[0]} is missing; set CONVERTER_PYTHON to a Python with torch"
        )
        return
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED:
        log.say(
            f"converter: not installed, {free / 1e9:.1f} GB are free and it may take {NEEDED / 1e9:.0f}; "
            "run `make converter` when there is room"
        )
        return
    log.say(
        "converter: installing torch in the background, some minutes; until then checkpoints wait, "
        "and ONNX files are taken"
    )
    supervisor.start_once(plan.converter(), partial(_told, log, monotonic()))


def _told(log: Log, began: float, status: int) -> None:
    if status == 0:
        log.say(f"converter: installed in {monotonic() - began:.0f} s; checkpoints can be converted")
    else:
        log.say(
            "converter: could not be installed (its lines above say why); everything else runs. "
            "`make converter` tries again, INSTALL_CONVERTER=false leaves it"
        )
