"""An app made of weights: the processor of their family, with options that suit these weights.

In a processor's schema, `x-tasks` names the tasks of weights that an option is for (others never see it), and
`x-classes` marks a list of classes, which becomes a choice among the weights' own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apps.catalog.models import Listing

if TYPE_CHECKING:
    from apps.processing.catalog import App

_SUMMARY = 160  # characters
_CHOICES = 200  # beyond so many classes a choice is no help: any text is taken


def make(processor: App, listing: Listing, *, own: bool) -> App:
    """`listing`, which has a current version, as an app. Its seller pays nothing for each photo."""
    version = listing.current_version
    if version is None:
        raise ValueError("nothing to run")
    return replace(
        processor,
        id=listing.pk,
        title=listing.title,
        summary=_summary(listing.description) or processor.summary,
        kind=listing.kind,
        version=str(version.number),
        params_schema=specialise(processor.params_schema, version.card),
        source="own" if own else "purchased",
        price_per_image=0 if own else listing.price_per_image,
        weights=version.weights_sha256,
        classes=tuple(_classes(version.card)),
    )


def specialise(schema: dict[str, Any], card: dict[str, Any]) -> dict[str, Any]:
    """The options that apply to weights with this card, with their classes to choose from."""
    task, classes = str(card.get("task", "")), _classes(card)
    properties = {
        name: _with_classes(option, classes)
        for name, option in schema.get("properties", {}).items()
        if not task or task in option.get("x-tasks", [task])
    }
    return {**schema, "properties": properties}


def _classes(card: dict[str, Any]) -> list[str]:
    found = card.get("classes")
    return [str(name) for name in found] if isinstance(found, list) else []


def _with_classes(option: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    if not option.get("x-classes") or not 0 < len(classes) <= _CHOICES:
        return option
    unique = list(dict.fromkeys(classes))
    changed = {name: value for name, value in option.items() if name != "examples"}
    return {**changed, "items": {"type": "string", "enum": unique}, "maxItems": len(unique)}


def _summary(description: str) -> str:
    """The first line, cut at a word."""
    line = description.strip().partition("\n")[0].strip()
    if len(line) <= _SUMMARY:
        return line
    return line[:_SUMMARY].rpartition(" ")[0].rstrip(" ,.;:") + "…"
