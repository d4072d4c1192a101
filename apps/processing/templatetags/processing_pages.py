"""Template tags of the job pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import template
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from apps.drive.models import Folder, Image
from apps.processing.catalog import App
from apps.processing.documents.base import Event
from apps.processing.models import Job
from apps.processing.shown import Box

if TYPE_CHECKING:
    from apps.processing.views_results import Card

register = template.Library()


@register.filter
def lookup(mapping: Mapping[str, Any], key: str) -> Any:
    """`mapping[key]`, or nothing."""
    return mapping.get(key, "")


@register.filter
def option_name(name: str) -> str:
    """`block_size` -> `Block size`."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


@register.filter
def option_value(value: Any) -> str:
    """An option's value as a reader would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value in ("", [], ()):
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


@register.filter
def ago(time: datetime) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `12 Mar`, `12 Mar 2025`."""
    now = timezone.now()
    seconds = (now - time).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{time.day} {time:%b}" if time.year == now.year else f"{time.day} {time:%b %Y}"


@register.filter
def took(job: Job) -> float | None:
    """Seconds from start to end."""
    return (job.finished - job.started).total_seconds() if job.started and job.finished else None


@register.filter
def percent(share: float, digits: int = 0) -> str:
    """`0.5` -> `50 %`."""
    return f"{100 * share:.{digits}f} %"


@register.filter
def in_words(boxes: Sequence[Box]) -> str:
    """What was found, for those who can't see the boxes: `2 cat, 1 dog`."""
    counts = Counter(box.label for box in boxes)
    return ", ".join(f"{n} {label}" for label, n in counts.most_common()) or "nothing found"


_RECT = '<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}"/>'


@register.simple_tag
def boxes_svg(card: Card) -> SafeString:
    """The boxes of a card over its thumbnail, cut to a square as that is. Made of numbers alone; written here
    because a contact sheet holds thousands of them."""
    doc = card.item.document
    parts = []
    for box in card.boxes:
        place = (box.x, box.y, box.width, box.height)
        parts += [_RECT.format(name, *place) for name in ("boxes__halo", f"boxes__box class-{box.hue:d}")]
    opening = (
        f'<svg class="boxes" viewBox="0 0 {doc["width"] or 1:d} {doc["height"] or 1:d}" '
        'preserveAspectRatio="xMidYMid slice" aria-hidden="true">'
    )
    return mark_safe(f"{opening}{''.join(parts)}</svg>")  # noqa: S308 - numbers


@register.filter
def label_query(label: str) -> str:
    """The filter of a class, for an address."""
    return urlencode({"label": label})


@register.filter
def folder_url(folder: Folder) -> str:
    return reverse("drive-folder", args=[folder.pk])


@register.filter
def ratio(image: Image) -> str:
    """Width by height, for the frame of a picture."""
    return f"{image.width / image.height:.5f}" if image.height else "1.5"


@register.filter
def result_url(image: Image) -> str:
    """A result at its full size, pixel by pixel; browsers show every format but TIFF."""
    if image.format == "tiff":
        return reverse("drive-view", args=[image.pk])
    return reverse("api-image-content", args=[image.pk])


@register.filter
def timing_name(name: str) -> str:
    """`process_ms` -> `Process`."""
    return option_name(name.removesuffix("_ms"))


@register.filter
def sample_picture(app: App) -> str:
    """The static path of a picture that the app made, or nothing if there is none."""
    path = f"img/samples/{app.id}.webp"
    return path if app.source == "builtin" and _has_static(path) else ""


@cache
def _has_static(path: str) -> bool:
    return finders.find(path) is not None


@register.simple_tag
def studio_query(job: Job) -> str:
    """The job's folder and options as the studio's address takes them."""
    query = {"options": json.dumps(job.params)}
    if job.folder_id:
        query["folder"] = job.folder_id
    return urlencode(query)


_EVENTS = {
    "state": "{status}",
    "worker_placed": "{node} was asked to work",
    "worker_lost": "{node} was lost",
    "cancel_requested": "Asked to stop",
    "retried": "Queued again",
}


@register.filter
def event_words(event: Event) -> str:
    """What happened, in a line: the event, then its reason."""
    data = {
        "node": event.data.get("node") or "A node",
        "status": str(event.data.get("status", "")).capitalize(),
    }
    what = _EVENTS.get(event.kind, event.kind.replace("_", " ").capitalize()).format(**data)
    if not event.reason or event.reason.startswith(what):
        return event.reason or what
    return f"{what}: {event.reason}"
