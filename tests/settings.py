"""The project's settings, with what tests need in the environment before they are read."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("DEBUG", "true")
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="pixelyard-tests-"))

from marketplace.settings import *  # noqa: F403
