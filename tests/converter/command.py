"""Runs the converter's command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(step: str, out: Path, *arguments: Any) -> dict[str, Any]:
    """Its answer. Fails on a crash, and where exit code and answer disagree."""
    done = subprocess.run(
        [sys.executable, "-m", "model_images.converter", step, "--out", str(out), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, 3}, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert answer["status"] == ("ok" if done.returncode == 0 else "rejected")
    return answer
