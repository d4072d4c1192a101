"""Which Python runs the converter. It needs torch for checkpoints, which the platform itself does without."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".converter"  # made by `make converter`


def installed(folder: Path = FOLDER) -> Path | None:
    """The Python of the converter's own environment, once that is complete."""
    python = folder / "bin" / "python"
    return python if (folder / ".ready").exists() and python.exists() else None


def resolve(configured: str = "", folder: Path = FOLDER) -> str:
    """CONVERTER_PYTHON if it is set, else the converter's environment, else the Python that runs this. Asked
    for each conversion: the environment may be installed meanwhile."""
    return configured or str(installed(folder) or sys.executable)


def is_missing(configured: str = "", folder: Path = FOLDER) -> bool:
    """Checkpoints can't be converted on this machine, as far as can be told without trying."""
    return not configured and installed(folder) is None and find_spec("torch") is None
