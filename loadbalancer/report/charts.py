"""Bar charts as SVG, without a library: what a page can hold as it is. Colours come from the page's CSS
(`--chart-bar`, `--chart-line`, `--chart-text`), with values of their own for a file that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH, LABELS, VALUES, BAR, HEAD, FOOT = 720, 210, 110, 22, 34, 26
_LONG = 75  # characters of a title; longer ones are written smaller


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    half: float | None = None  # half of a confidence interval


@dataclass(frozen=True)
class Mark:
    """A vertical line, such as a bound."""

    value: float
    label: str


def bars(title: str, items: Sequence[Bar], unit: str, mark: Mark | None = None) -> str:
    """A horizontal bar for each item, from 0, with its interval as a line; values below 0 show as 0 and are
    written out. `unit` follows each value."""
    tops = [bar.value + (bar.half or 0.0) for bar in items] + ([mark.value] if mark else [])
    top = max([*tops, 0.0]) or 1.0
    scale = (WIDTH - LABELS - VALUES) / top
    height = HEAD + BAR * len(items) + FOOT
    size = 15 if len(title) <= _LONG else 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f"aria-label={quoteattr(title)}>",
        f'<text x="0" y="18" {_text(size)} font-weight="600">{escape(title)}</text>',
    ]
    for index, bar in enumerate(items):
        parts += _bar(bar, HEAD + BAR * index, scale, unit)
    if mark:
        x = _short(LABELS + mark.value * scale)
        bottom = HEAD + BAR * len(items)
        parts.append(
            f'<path d="M{x} {HEAD - 4}V{bottom + 4}" stroke="var(--chart-line, #b3261e)" '
            'stroke-dasharray="4 3"/>'
        )
        parts.append(
            f'<text x="{x}" y="{bottom + 18}" text-anchor="middle" {_text(12)}>{escape(mark.label)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _bar(bar: Bar, y: int, scale: float, unit: str) -> list[str]:
    length = max(0.0, bar.value) * scale
    middle = y + BAR // 2
    parts = [
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end" {_text(13)}>{escape(bar.label)}</text>',
        f'<rect x="{LABELS}" y="{y + 3}" width="{_short(length)}" height="{BAR - 6}" rx="2" '
        'fill="var(--chart-bar, #3457d5)"/>',
    ]
    end, said = length, f"{number(bar.value)} {unit}"
    if bar.half is not None:
        left, right = max(0.0, length - bar.half * scale), length + bar.half * scale
        end, said = max(end, right), f"{interval(bar.value, bar.half)} {unit}"
        parts.append(
            f'<path d="M{_short(LABELS + left)} {middle}H{_short(LABELS + right)}" '
            'stroke="var(--chart-text, #1b1b1f)" stroke-width="1.5"/>'
        )
    parts.append(f'<text x="{_short(LABELS + end + 6)}" y="{middle + 4}" {_text(12)}>{escape(said)}</text>')
    return parts


def number(value: float) -> str:
    """Three figures that matter, without an exponent: 0.0123, 1.23, 123, 12300."""
    if value == 0:
        return "0"
    digits = max(0, 2 - _exponent(abs(value)))
    return f"{value:.{min(digits, 6)}f}"


def interval(value: float, half: float) -> str:
    """A mean and half of its interval, both to the second figure of the half: 1.012 ± 0.024, 130 ± 25."""
    if not half:
        return f"{number(value)} ± 0"
    digits = max(0, 1 - _exponent(half))
    return f"{value:.{digits}f} ± {half:.{digits}f}"


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _text(size: int) -> str:
    return f'font-family="system-ui, sans-serif" font-size="{size}" fill="var(--chart-text, #1b1b1f)"'


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
