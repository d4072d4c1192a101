"""What runs on nodes: the runtime and the processors. Nothing here imports Django."""

from __future__ import annotations
