"""The classes of a job: numbers for exports, colours for pages.

A detector says a class by its name and, if it can, by its number (`class_id`, from 0). Files made from the
same job must give a class the same number whatever the filters, and a page must give it the same colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.processing.catalog import App

HUES = 12
_MOST = 10_000  # class numbers that a model can have


def known_classes(app: App | None) -> list[str]:
    """The class names of the weights in their order, else those that the options offer; empty without."""
    if app is None or app.classes:
        return list(app.classes) if app else []
    part = app.params_schema.get("properties", {}).get("classes", {})
    for option in [part, *part.get("anyOf", ())]:
        names = option.get("items", {}).get("enum")
        if names:
            return [str(name) for name in names]
    return []


class ClassNumbers:
    """Numbers from 0. A finding's own number counts most, then the app's list, then what is free."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = list(dict.fromkeys(known))
        self._number: dict[str, int] = {}  # given, and never changed
        self._name: dict[int, str] = {}

    def of(self, label: str, class_id: Any = None) -> int:
        found = self._number.get(label)
        if found is None:
            found = self._number[label] = self._choose(label, class_id)
            self._name[found] = label
        return found

    def _choose(self, label: str, class_id: Any) -> int:
        wanted = [class_id] if _is_number(class_id) else []
        if label in self._known:
            wanted.append(self._known.index(label))
        for number in wanted:
            if number not in self._name:
                return int(number)
        # Beyond the app's list: another class of it may still come.
        number = len(self._known)
        while number in self._name:
            number += 1
        return number

    @property
    def names(self) -> list[str]:
        """By number, without holes: a number that no finding had is the app's name for it, or `class_7`."""
        rest = dict(enumerate(name for name in self._known))
        last = max([*self._name, *rest], default=-1)
        taken = set(self._name.values())
        return [
            self._name.get(number) or _unless(rest.get(number), taken) or f"class_{number}"
            for number in range(last + 1)
        ]


def _unless(name: str | None, taken: set[str]) -> str:
    return "" if name is None or name in taken else name


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def hue(label: str, known: Mapping[str, int]) -> int:
    """1 to HUES, the token `--class-N` of a class: its place in the app's list, else by the hash of its name
    (FNV-1a of its UTF-8, as `static/processing/classes.js` does it)."""
    if label in known:
        return known[label] % HUES + 1
    value = 0x811C9DC5
    for byte in label.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % HUES + 1


def places(known: Iterable[str]) -> dict[str, int]:
    """{class: its place}, for `hue`."""
    return {name: place for place, name in enumerate(dict.fromkeys(known))}
