"""What outcomes mean in numbers, tables, charts and one page. Pure: outcomes in, text out."""

from __future__ import annotations
