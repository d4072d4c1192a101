"""Figures for pages, as SVG without a library: what was measured, its interval, a bound, a span beside it.

They are narrow, with labels above the bars, so that they can be read on a phone as well. Colours come from
the page's CSS (`--chart-…`, `--node-1` …), with values of their own for a file that stands alone. Each figure
says in `desc` what it shows, for those who don't see it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from loadbalancer.report.charts import Bar, Mark, number

WIDTH = 320
_ROW, _BAR, _FOOT = 36, 10, 24
_NODE_HUES = ("#3d6fc9", "#2b8a5b", "#b9701f", "#a8469b", "#1f8a96", "#7c8a1f", "#7a5bc7", "#c2475b")
_INK = "var(--chart-text, #1b1b1f)"
_MUTED = "var(--chart-muted, #5f626b)"
_GRID = "var(--chart-grid, #dcdde2)"
_BEST = "var(--chart-best, #c77d2e)"
_OTHER = "var(--chart-other, #9aa0ad)"
_LINE = "var(--chart-line, #b3261e)"


@dataclass(frozen=True)
class Span:
    """A range that a bar is to be compared with: an outline over it."""

    low: float
    high: float
    label: str


def ranked(
    title: str,
    items: Sequence[Bar],
    unit: str,
    *,
    mark: Mark | None = None,
    spans: Mapping[str, Span] | None = None,
    best: str = "",
) -> str:
    """A horizontal bar for each item, from 0, with its interval as a line. Values below 0 show as 0 and are
    written out. `spans`: by label; `best`: the label that is to stand out."""
    spans = spans or {}
    tops = [bar.value + (bar.half or 0.0) for bar in items] + [span.high for span in spans.values()]
    top = max([*tops, mark.value if mark else 0.0, 0.0]) or 1.0
    scale = WIDTH / top
    bottom = _ROW * len(items) + 4
    parts = []
    for index, bar in enumerate(items):
        parts += _row(bar, _ROW * index, scale, unit, spans.get(bar.label), bar.label == best)
    if mark:
        parts += _marked(mark, scale, bottom)
    return _svg(title, _words(items, unit, mark, spans), bottom + (_FOOT if mark else 2), parts)


def _row(bar: Bar, y: int, scale: float, unit: str, span: Span | None, best: bool) -> list[str]:
    said = _said(bar, unit)
    text, top = y + 14, y + 20
    parts = [
        _text(0, text, bar.label, weight=600 if best else 400),
        _text(WIDTH, text, said, anchor="end", mono=True),
    ]
    parts.append(_rect(0, top, max(1.0, bar.value * scale), _BAR, _BEST if best else _OTHER))
    if span:
        edges = f"M{_n(span.low * scale)} {top - 2}H{_n(span.high * scale)}V{top + _BAR + 2}"
        parts.append(f'<path d="{edges}H{_n(span.low * scale)}Z" stroke="{_LINE}" fill="none"/>')
    if bar.half:
        left, right = max(0.0, bar.value - bar.half) * scale, (bar.value + bar.half) * scale
        middle = top + _BAR / 2
        ends = "".join(f"M{_n(x)} {_n(middle - 3)}v6" for x in (left, right))
        parts.append(f'<path d="M{_n(left)} {_n(middle)}H{_n(right)}{ends}" stroke="{_INK}" fill="none"/>')
    return parts


def _marked(mark: Mark, scale: float, bottom: int) -> list[str]:
    x = mark.value * scale
    anchor = "end" if x > WIDTH * 0.7 else "start" if x < WIDTH * 0.3 else "middle"
    ticks = "".join(f"M{_n(x)} {y + 17}v{_BAR + 6}" for y in range(0, bottom - 4, _ROW))
    return [
        f'<path d="{ticks}" stroke="{_LINE}" stroke-width="1.5" fill="none"/>',
        _text(x, bottom + 16, mark.label, anchor=anchor, size=12, colour=_MUTED),
    ]


def shares(title: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """For each row, how busy each node was (0 to 1), in the node's hue: a bar a node, or a strip of thin
    ones upright for more than 12 nodes."""
    parts: list[str] = []
    y, said = 0, []
    for label, nodes in rows.items():
        busy = list(nodes.items())
        parts.append(_text(0, y + 14, label))
        parts.append(_text(WIDTH, y + 14, _range(nodes), anchor="end", mono=True))
        said.append(f"{label}: {_range(nodes)}")
        y = _named(parts, busy, y + 20) if len(busy) <= 12 else _strip(parts, busy, y + 20)
    return _svg(title, "; ".join(said), y + 2, parts)


def _named(parts: list[str], busy: Sequence[tuple[str, float]], y: int) -> int:
    for node, used in busy:
        parts.append(_rect(0, y, WIDTH, 6, _GRID))
        parts.append(_rect(0, y, max(1.0, min(1.0, used) * WIDTH), 6, _hue(node)))
        y += 8
    return y + 8


def _strip(parts: list[str], busy: Sequence[tuple[str, float]], y: int) -> int:
    """Thin bars upright, at most 180 of them: neighbours are averaged."""
    each = ceil(len(busy) / 180)
    groups = [busy[start : start + each] for start in range(0, len(busy), each)]
    step = WIDTH / len(groups)
    parts.append(_rect(0, y, WIDTH, 20, _GRID))
    for index, group in enumerate(groups):
        used = min(1.0, sum(value for _, value in group) / len(group))
        parts.append(
            _rect(index * step, y + 20 * (1 - used), max(0.5, step - 0.5), 20 * used, _hue(group[0][0]))
        )
    return y + 28


def _range(nodes: Mapping[str, float]) -> str:
    low, high = min(nodes.values()), max(nodes.values())
    return f"{100 * low:.0f}–{100 * high:.0f} % busy" if round(100 * low) != round(100 * high) else _one(low)


def _one(used: float) -> str:
    return f"{100 * used:.0f} % busy"


def curve(
    title: str, points: Sequence[tuple[int, float]], *, across: str, unit: str, goal: Mark | None = None
) -> str:
    """Values over whole numbers from the smallest to the largest, both axes from 0 or logarithmic where the
    values span more than a factor of 30; `goal` as a line."""
    height, left, foot = 180, 44, 34
    values = [value for _, value in points] + ([goal.value] if goal else [])
    steep = max(values) > 30 * min(value for value in values if value > 0)
    low, high = (min(values) / 1.3, max(values) * 1.1) if steep else (0.0, max(values) * 1.08)

    def up(value: float) -> float:
        part = log10(value / low) / log10(high / low) if steep else (value - low) / (high - low)
        return 12 + (height - 12) * (1 - part)

    first, last = points[0][0], points[-1][0]

    def along(count: float) -> float:
        return left + 8 + (WIDTH - left - 16) * (count - first) / max(1, last - first)

    parts = []
    for tick in _ticks(low, high, steep):
        parts.append(f'<path d="M{left} {_n(up(tick))}H{WIDTH}" stroke="{_GRID}" fill="none"/>')
        parts.append(
            _text(left - 6, up(tick) + 4, number(tick), anchor="end", size=11, colour=_MUTED, mono=True)
        )
    if goal and low < goal.value <= high:
        y = up(goal.value)
        parts.append(
            f'<path d="M{left} {_n(y)}H{WIDTH}" stroke="{_LINE}" stroke-dasharray="4 3" fill="none"/>'
        )
        parts.append(_text(WIDTH, y - 5, goal.label, anchor="end", size=12, colour=_MUTED))
    line = "L".join(f"{_n(along(count))} {_n(up(value))}" for count, value in points)
    parts.append(f'<path d="M{line}" stroke="{_BEST}" stroke-width="2" fill="none"/>')
    labelled = -99.0
    for count, value in points:
        x = along(count)
        parts.append(f'<circle cx="{_n(x)}" cy="{_n(up(value))}" r="3.5" fill="{_BEST}"/>')
        if x - labelled >= 26 or count == last:
            parts.append(
                _text(x, height + 16, str(count), anchor="middle", size=11, colour=_MUTED, mono=True)
            )
            labelled = x
    parts.append(_text(WIDTH, height + foot - 2, across, anchor="end", size=12, colour=_MUTED))
    said = "; ".join(f"{count}: {number(value)} {unit}" for count, value in points)
    return _svg(title, f"{across}: {said}", height + foot + 2, parts)


def _ticks(low: float, high: float, steep: bool) -> list[float]:
    if steep:
        return [10.0**power for power in range(ceil(log10(low)), floor(log10(high)) + 1)]
    step = 10.0 ** floor(log10(high))
    step = next(step / part for part in (5, 2, 1, 0.5) if high / (step / part) <= 5)
    return [step * index for index in range(int(high / step) + 1)]


def _words(items: Sequence[Bar], unit: str, mark: Mark | None, spans: Mapping[str, Span]) -> str:
    said = []
    for bar in items:
        span = spans.get(bar.label)
        said.append(f"{bar.label}: {_said(bar, unit)}" + (f" ({span.label})" if span else ""))
    if mark:
        said.append(f"{mark.label}: {number(mark.value)} {unit}")
    return "; ".join(said)


def _said(bar: Bar, unit: str) -> str:
    said = signed(bar.value)
    return f"{said} {unit}" if bar.half is None else f"{said} ± {half_of(bar.value, bar.half)} {unit}"


def signed(value: float) -> str:
    """Three figures that matter, with a minus that is one."""
    return f"−{number(-value)}" if value < 0 else number(value)


def half_of(value: float, half: float) -> str:
    """Half an interval to as many decimals as its value is written with, or one figure that matters."""
    decimals = len(number(abs(value)).partition(".")[2])
    said = f"{half:.{decimals}f}"
    return said if float(said) or half < 1e-6 else f"{half:.{-floor(log10(half))}f}"


def _hue(node: str) -> str:
    found = re.search(r"(\d+)$", node)
    index = (int(found[1]) - 1 if found else len(node)) % len(_NODE_HUES)
    return f"var(--node-{index + 1}, {_NODE_HUES[index]})"


def _svg(title: str, said: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_n(height)}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>{''.join(parts)}</svg>"
    )


def _text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
    colour: str = _INK,
    mono: bool = False,
) -> str:
    size -= mono
    family = "ui-monospace, Menlo, Consolas, monospace" if mono else "system-ui, sans-serif"
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-family="{family}" '
        f'font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(said)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="2" fill="{fill}"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
