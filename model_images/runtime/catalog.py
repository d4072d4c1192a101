"""`model_images/catalog.json`: what the processors are, for a web that imports none of them."""

from __future__ import annotations

import json
from pathlib import Path

from model_images.runtime.registry import describe

PATH = Path(__file__).resolve().parent.parent / "catalog.json"
COMMAND = "python -m model_images.runtime describe --write"


def text() -> str:
    return json.dumps(describe(), indent=1, ensure_ascii=False) + "\n"


def write() -> Path:
    PATH.write_text(text(), encoding="utf-8")
    return PATH
