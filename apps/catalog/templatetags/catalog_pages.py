"""Template tags of the sell pages and of model cards: `{% load catalog_pages %}`."""

from __future__ import annotations

from typing import Any

from django import template

from apps.catalog.models import Listing, Version, VersionStep
from apps.catalog.services.leases import IN_HAND

register = template.Library()

_STEP_WORDS = {
    "uploaded": "Uploaded",
    "converting": "Converted",
    "checking": "Checked",
    "measuring": "Measured",
}
_STATUS_TAGS = {
    Listing.Status.DRAFT: ("", "Draft"),
    Listing.Status.PUBLISHED: ("tag--good", "On the market"),
    Listing.Status.WITHDRAWN: ("tag--warn", "Withdrawn"),
    Listing.Status.TAKEN_DOWN: ("tag--bad", "Taken down"),
}


@register.filter
def step_words(step: VersionStep) -> str:
    return _STEP_WORDS.get(step.name, step.name)


@register.filter
def step_seconds(step: VersionStep) -> float | None:
    if step.started is None or step.finished is None:
        return None
    return (step.finished - step.started).total_seconds()


@register.filter
def status_tag(listing: Listing) -> str:
    return _STATUS_TAGS[Listing.Status(listing.status)][0]


@register.filter
def status_words(listing: Listing) -> str:
    return _STATUS_TAGS[Listing.Status(listing.status)][1]


@register.filter
def is_in_hand(version: Version) -> bool:
    return version.status in IN_HAND


@register.filter
def newest(listing: Listing) -> Version | None:
    """The version that was uploaded last."""
    return next(iter(listing.versions.all()), None)


@register.filter
def input_words(card: dict[str, Any]) -> str:
    """`160 × 160 px, rgb`; where the network takes any size, what photos are reduced to."""
    found = card.get("input")
    if not isinstance(found, dict):
        return ""
    if found.get("latent"):
        return f"noise, {found['latent']} values"
    width, height = found.get("width"), found.get("height")
    size = f"{width} × {height} px" if width and height and not found.get("free_size") else "any size"
    if found.get("free_size") and found.get("resize") == "letterbox" and found.get("resize_to"):
        size = f"{found['resize_to']} px on the longest side, any shape"
    return f"{size}, {found.get('color') or 'rgb'}"


@register.filter
def sample_numbers(version: Version) -> list[dict[str, Any]]:
    """The samples of the card: {number, source, made}, `made` in words: `on cat.jpg`, `from noise`."""
    samples = version.card.get("samples", [])
    return [
        sample | {"made": f"on {sample['source']}" if sample.get("source") else "from noise"}
        for sample in samples
        if isinstance(sample, dict) and "number" in sample
    ]


@register.filter
def needs_a_look(scan: Any) -> list[dict[str, Any]]:
    """What the scan found that its seller and buyers should know."""
    entries = scan if isinstance(scan, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("result") != "ok"]


@register.filter
def rows(found: Any) -> list[tuple[str, Any]]:
    """The items of a small object of the card; nothing where there is none."""
    return list(found.items()) if isinstance(found, dict) else []


@register.filter
def measured(value: Any) -> str:
    """A measured number with three digits that count."""
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)
