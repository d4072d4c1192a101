"""Traces on real node workers. `dispatch.py` says what is pushed and what is pulled."""

from __future__ import annotations

from apps.benchmarks.replay.installation import nodes, run

__all__ = ["nodes", "run"]
