"""Template tags that every page may use: `{% load pixelyard %}`."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import Resolver404, resolve

register = template.Library()

NODE_HUES = 8


@dataclass(frozen=True)
class NavItem:
    href: str
    label: str
    icon: str
    current: bool


_PAGES = [
    ("/drive/", "Drive", "icons/drive.svg"),
    ("/studio/", "Studio", "icons/studio.svg"),
    ("/jobs/", "Jobs", "icons/jobs.svg"),
    ("/market/", "Market", "icons/market.svg"),
    ("/sell/", "Sell", "icons/sell.svg"),
    ("/wallet/", "Wallet", "icons/wallet.svg"),
    ("/cluster/", "Cluster", "icons/cluster.svg"),
    ("/benchmarks/", "Benchmarks", "icons/benchmarks.svg"),
]


def _exists(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


@register.simple_tag(takes_context=True)
def nav_items(context: dict[str, Any]) -> list[NavItem]:
    """The main navigation. A page that this installation does not have is left out."""
    request = context.get("request")
    here = request.path if request else ""
    return [
        NavItem(href, label, icon, here.startswith(href)) for href, label, icon in _PAGES if _exists(href)
    ]


@register.filter
def node_class(name: str) -> str:
    """`node-3` -> `node-3`: the CSS class with the node's fixed hue, 1 to 8.

    The number at the end of a name decides; a name without one gets a hue by its hash.
    """
    number = re.search(r"(\d+)$", name or "")
    index = int(number.group(1)) - 1 if number else zlib.crc32((name or "").encode())
    return f"node-{index % NODE_HUES + 1}"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words: `under 1 s`, `1.2 s`, `40 s`, `3 min 20 s`, `2 h 5 min`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "under 1 s"
    if seconds < 9.95:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


@register.filter
def filesize(count: int | None) -> str:
    """Bytes in decimal units, as file limits are set: `4.1 MB`."""
    if count is None:
        return ""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
