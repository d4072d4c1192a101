"""What pages show of a document's data: boxes of a detector, bars of a classifier. Nothing is read here.

hue    1 to 12: the colour `--class-N` that a class has on every page
share  0 to 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.processing.catalog import App
from apps.processing.classes import hue, known_classes, places
from apps.processing.documents.base import Doc, Filters, findings
from apps.processing.exports_boxes import detections

BOXES_ON_A_CARD = 60  # more can't be told apart on a thumbnail
_TOP = 10


@dataclass(frozen=True)
class Bar:
    """A class, and how much of it there is."""

    label: str
    hue: int
    share: float  # length of the bar
    value: float  # what it says: a probability, or a count
    active: bool = False

    @property
    def percent(self) -> str:
        """The length, for CSS."""
        return f"{100 * self.share:.2f}%"


@dataclass(frozen=True)
class Box:
    label: str
    hue: int
    confidence: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Colours:
    """The colour of each class of an app."""

    places: Mapping[str, int] = field(default_factory=dict)

    def of(self, label: str) -> int:
        return hue(label, self.places)

    @property
    def hues(self) -> dict[str, int]:
        """{class: hue} of the classes that the app lists, for scripts."""
        return {name: self.of(name) for name in self.places}


def colours_of(app: App | None) -> Colours:
    return Colours(places(known_classes(app)))


def takes_photo(app: App | None) -> bool:
    """False for a generator that makes pictures from noise: its photo is only a seed."""
    if app is None or app.kind != "generation":
        return True
    options = app.params_schema.get("properties", {})
    return "seed" not in options or "strength" in options


def is_detected(doc: Doc) -> bool:
    return isinstance((doc.get("data") or {}).get("detections"), list)


def boxes(doc: Doc, colours: Colours, filters: Filters | None = None) -> list[Box]:
    """The detections that match, the most confident first."""
    found = []
    for _, one in detections(doc, filters):
        label = str(one["label"])
        found.append(Box(label, colours.of(label), confidence_of(one), *one["box"]))
    return sorted(found, key=lambda box: -box.confidence)


def finder(doc: Doc, colours: Colours) -> dict[str, Any]:
    """The detections as `static/processing/finder.js` takes them."""
    found = [
        {
            "label": str(one["label"]),
            "hue": colours.of(str(one["label"])),
            "confidence": confidence_of(one),
            "box": one["box"],
            "rgb": str(one.get("rgb") or ""),
            "ryb": str(one.get("ryb") or ""),
        }
        for _, one in detections(doc)
    ]
    return {"width": doc["width"], "height": doc["height"], "detections": found}


def top_classes(doc: Doc, colours: Colours) -> list[Bar]:
    """The likeliest classes of a classified photo, the first is the predicted one; empty for other apps."""
    data = doc.get("data") or {}
    if not data.get("predicted_class"):
        return []
    entries = data.get("top") if isinstance(data.get("top"), list) else data.get("classes")
    rows = [one for one in entries or [] if isinstance(one, dict) and one.get("label")][:_TOP]
    return [
        Bar(str(one["label"]), colours.of(str(one["label"])), confidence_of(one), confidence_of(one))
        for one in rows
    ]


def facts(doc: Doc) -> dict[str, str]:
    """In words, where there are any: `seed` of a picture from noise; `rgb` and `ryb`, the dominant colours of
    a classified photo."""
    data = doc.get("data") or {}
    seed = data.get("seed")
    made = {"seed": str(seed) if isinstance(seed, int) else ""}
    whole = findings(doc)[:1] if data.get("predicted_class") else []
    return made | {name: one[name] for one in whole for name in ("rgb", "ryb")}


def count_bars(counts: Mapping[str, int], colours: Colours, active: str = "") -> list[Bar]:
    """A bar a class, the longest for the most frequent one."""
    most = max(counts.values(), default=1)
    return [Bar(label, colours.of(label), n / most, n, label == active) for label, n in counts.items()]


def confidence_of(one: Mapping[str, Any]) -> float:
    """0 to 1, whatever a worker wrote."""
    value = one.get("confidence")
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) else 1.0
