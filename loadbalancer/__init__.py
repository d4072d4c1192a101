"""Which node gets the next piece of work. Pure Python: no Django, no I/O, no clock, no hidden state."""

from __future__ import annotations
