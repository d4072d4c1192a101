"""Processors that only tests use: they do what no good app does."""

from __future__ import annotations
