"""A grid of characters as one HTML file that needs nothing else."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_images.runtime.contract import Array

_ADVANCE = 0.602  # em: width of a character in the usual monospaced fonts
_SPECIAL = frozenset("&<>\"'")
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
    begins = np.diff(keys.astype(np.int32), axis=1, prepend=-1) != 0  # at the start of each row, too
    starts = np.flatnonzero(begins)
    text = "".join(chars.ravel().tolist())
    runs = zip(keys.ravel()[starts].tolist(), starts.tolist(), [*starts[1:].tolist(), len(text)], strict=True)
    if _SPECIAL.isdisjoint(text):
        parts = [f"{_opened(key, behind)}{text[start:end]}</span>" for key, start, end in runs]
    else:
        parts = [f"{_opened(key, behind)}{escape(text[start:end])}</span>" for key, start, end in runs]
    of_rows = np.cumsum(begins.sum(axis=1)).tolist()
    return "\n".join("".join(parts[a:b]) for a, b in pairwise([0, *of_rows]))


def dark_ink(colours: Array) -> NDArray[np.bool_]:
    """Where black stands out more than white, by Rec. 601 luma."""
    return colours.astype(np.int32) @ np.array([299, 587, 114]) >= 127500


@lru_cache(maxsize=8192)
def _opened(key: int, behind: bool) -> str:
    """The start of an element; `key` is a colour of 4 bits a channel, and whether black ink goes on it."""
    code = key >> 1
    if not behind:
        return f'<span style="color:#{code:03x}">'
    return f'<span style="background:#{code:03x};color:{"#000" if key & 1 else "#fff"}">'
