"""A grid of characters as one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

_ADVANCE = 0.602  # em: width of a character in the usual monospaced fonts
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ASCII art</title>
<style>
body {{ margin: 0; background: {paper}; color: {ink}; }}
pre {{ margin: 0; font: 12px/{leading}em "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; }}
</style>
</head>
<body>
<pre role="img" aria-label="ASCII art">{body}</pre>
</body>
</html>
"""


def page(body: str, paper: str, ink: str, aspect: float) -> str:
    """`body` is HTML already; `aspect` is a cell's width by its height."""
    return _PAGE.format(body=body, paper=paper, ink=ink, leading=f"{_ADVANCE / aspect:.3f}")


def plain(lines: list[str]) -> str:
    return escape("\n".join(lines))


def coloured(chars: NDArray[np.str_], colours: Array, behind: bool) -> str:
    """`(h, w)` characters with `(h, w, 3)` RGB, one element for each run of a colour.

    Colours are rounded to 4 bits a channel, which keeps runs long and the file small. behind: the colour goes
    behind the characters, which turn black or white, whichever differs more.
    """
    short = ((colours.astype(np.uint16) * 15 + 127) // 255).astype(np.uint16)
    codes = short[..., 0] << 8 | short[..., 1] << 4 | short[..., 2]
    keys = (codes << 1 | dark_ink(colours)) if behind else codes << 1
    special_rows = np.isin(chars, list("&<>\"'")).any(axis=1)
    changes = np.diff(keys.astype(np.int32), axis=1, prepend=-1) != 0
    opened: dict[int, str] = {}
    lines = []
    for row, row_keys, change, special in zip(
        chars.tolist(), keys.tolist(), changes, special_rows, strict=True
    ):
        text = "".join(row)
        starts = np.flatnonzero(change).tolist()
        parts = []
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            key = row_keys[start]
            if key not in opened:
                opened[key] = f'<span style="{_style(key >> 1, bool(key & 1), behind)}">'
            run = escape(text[start:end]) if special else text[start:end]
            parts.append(f"{opened[key]}{run}</span>")
        lines.append("".join(parts))
    return "\n".join(lines)


def dark_ink(colours: Array) -> NDArray[np.bool_]:
    """Where black stands out more than white, by Rec. 601 luma."""
    return colours.astype(np.int32) @ np.array([299, 587, 114]) >= 127500


def _style(code: int, dark: bool, behind: bool) -> str:
    if not behind:
        return f"color:#{code:03x}"
    return f"background:#{code:03x};color:{'#000' if dark else '#fff'}"
