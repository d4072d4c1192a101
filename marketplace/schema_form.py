"""Turns the JSON Schema of an app's options into fields that a template can draw.

    field    one option: its label, help, control, bounds, value and errors
    control  the kind of input: segments, select, choices, integer, number, seed, numbers, switch, text,
             color, colors, folder, or json for whatever has no control of its own

Understood beside the standard keywords: `x-asset: folder` (the value is a folder's id), `x-show-if`
({other option: [values]}: shown only while all of them hold), `x-group` (a fold-out's title), `x-labels`
({value: words}) and `x-empty` (words for null). Nothing here knows an app: a new one needs no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

SEGMENTS_AT_MOST = 4  # more choices than this, or longer ones, become a select
SEGMENTS_LETTERS = 26
SEARCHED_FROM = 13  # so many choices have a search
SLIDER_SPAN = 2000  # a slider can't be set to one of more values than this


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class Field:
    name: str
    id: str
    label: str
    help: str
    control: str
    value: Any
    default: Any
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | str = "any"
    size: int = 0  # of a fixed tuple
    min_items: int = 0
    max_items: int | None = None
    max_length: int | None = None
    nullable: bool = False
    empty: str = ""  # words for null
    group: str = ""
    show_if: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether a slider serves: it needs both ends, not too far apart, and can't say null."""
        if self.minimum is None or self.maximum is None or self.nullable:
            return False
        return self.maximum - self.minimum <= SLIDER_SPAN

    @property
    def text(self) -> str:
        """The value as the text of an input."""
        if self.value is None:
            return ""
        if self.control == "json":
            return json.dumps(self.value)
        return str(self.value)

    @property
    def items(self) -> list[Any]:
        """The value of a list, or of a fixed tuple as many as it has."""
        values = list(self.value) if isinstance(self.value, list | tuple) else []
        return values + [""] * (self.size - len(values)) if self.size else values

    @property
    def default_json(self) -> str:
        return json.dumps(self.default)

    @property
    def show_if_json(self) -> str:
        return json.dumps(self.show_if)

    @property
    def grouped(self) -> bool:
        """Inputs that need a fieldset: several controls under one label."""
        return self.control in {"segments", "numbers", "colors", "choices"}

    @property
    def searched(self) -> bool:
        """Whether there are too many choices to look through."""
        return len(self.choices) >= SEARCHED_FROM

    @property
    def chosen(self) -> list[str]:
        """The values of `choices` that are chosen."""
        return [str(value) for value in self.value] if isinstance(self.value, list | tuple) else []

    @property
    def described_by(self) -> str:
        """Ids for aria-describedby: the help, then the errors."""
        return " ".join([f"{self.id}-help"] * bool(self.help) + [f"{self.id}-error"])


@dataclass(frozen=True)
class Group:
    title: str  # empty: not folded
    fields: list[Field]

    @property
    def open(self) -> bool:
        """A fold-out with something in it to see: an error, or a value that differs from its default."""
        return any(f.errors or f.value != f.default for f in self.fields)


def build(
    schema: Schema,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    prefix: str = "option",
) -> list[Group]:
    """The fields of `schema` in its order, ungrouped ones first. `values` that are missing are defaults."""
    groups: dict[str, list[Field]] = {"": []}
    for name, raw in schema.get("properties", {}).items():
        made = _field(name, raw, schema, dict(values or {}), dict(errors or {}), prefix)
        groups.setdefault(made.group, []).append(made)
    return [Group(title, fields) for title, fields in groups.items() if fields]


def _field(
    name: str,
    raw: Schema,
    root: Schema,
    values: dict[str, Any],
    errors: dict[str, Sequence[str]],
    prefix: str,
) -> Field:
    part, nullable = _resolve(raw, root)
    default = part.get("default")
    step, minimum, maximum = _bounds(part)
    return Field(
        name=name,
        id=f"{prefix}-{name}",
        label=_label(name, part),
        help=part.get("description", ""),
        control="seed" if name == "seed" and part.get("type") == "integer" else _control(part, root),
        value=values.get(name, default),
        default=default,
        choices=_choices(part) or _item_choices(part, root),
        minimum=minimum,
        maximum=maximum,
        step=step,
        size=len(part.get("prefixItems", ())),
        min_items=part.get("minItems", 0),
        max_items=part.get("maxItems"),
        max_length=part.get("maxLength"),
        nullable=nullable,
        empty=part.get("x-empty", "Automatic" if nullable else "None"),
        group=part.get("x-group", ""),
        show_if={key: _as_list(allowed) for key, allowed in part.get("x-show-if", {}).items()},
        errors=tuple(errors.get(name, ())),
    )


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _resolve(raw: Schema, root: Schema) -> tuple[dict[str, Any], bool]:
    """`raw` with `$ref` and `X or null` opened up; whether null is allowed."""
    part = dict(raw)
    nullable = False
    while True:
        if "$ref" in part:
            target = root.get("$defs", {}).get(part.pop("$ref").rpartition("/")[2], {})
            part = {**target, **part}
        elif len(part.get("allOf", ())) == 1:
            part = {**part.pop("allOf")[0], **part}
        elif "anyOf" in part:
            options = part.pop("anyOf")
            real = [option for option in options if option.get("type") != "null"]
            nullable = nullable or len(real) < len(options)
            if len(real) != 1:
                return part, nullable  # a true union has no control: json
            part = {**real[0], **part}
        else:
            return part, nullable


def _control(part: Schema, root: Schema) -> str:
    if part.get("x-asset") == "folder":
        return "folder"
    if "enum" in part or "const" in part:
        labels = _choices(part)
        short = sum(len(choice.label) for choice in labels) <= SEGMENTS_LETTERS
        return "segments" if len(labels) <= SEGMENTS_AT_MOST and short else "select"
    kind = part.get("type")
    if kind == "boolean":
        return "switch"
    if kind in {"integer", "number"}:
        return str(kind)
    if kind == "string":
        return "color" if _is_color(part) else "text"
    if kind == "array":
        return _array_control(part, root)
    return "json"


def _array_control(part: Schema, root: Schema) -> str:
    fixed = part.get("prefixItems")
    if fixed:
        numeric = all(item.get("type") in {"integer", "number"} for item in fixed)
        return "numbers" if numeric else "json"
    item, _ = _resolve(part.get("items", {}), root)
    if "enum" in item:
        return "choices"
    return "colors" if item.get("type") == "string" and _is_color(item) else "json"


def _item_choices(part: Schema, root: Schema) -> tuple[Choice, ...]:
    """Of a list whose entries are one of several values. These are names of things, and stay as they are."""
    if part.get("type") != "array" or part.get("prefixItems"):
        return ()
    item, _ = _resolve(part.get("items", {}), root)
    labels = item.get("x-labels", {})
    return tuple(Choice(str(value), labels.get(str(value), str(value))) for value in item.get("enum", ()))


def _is_color(part: Schema) -> bool:
    return part.get("format") == "color" or part.get("pattern", "").startswith("^#")


def _choices(part: Schema) -> tuple[Choice, ...]:
    values = part["enum"] if "enum" in part else [part["const"]] if "const" in part else []
    labels = part.get("x-labels", {})
    return tuple(Choice(str(value), labels.get(str(value), _words(str(value)))) for value in values)


def _words(value: str) -> str:
    """`floyd_steinberg` -> `Floyd steinberg`."""
    text = value.replace("_", " ")
    return text[:1].upper() + text[1:]


def _label(name: str, part: Schema) -> str:
    """The schema's title. The one that pydantic makes by itself ("Block Size") gets sentence case."""
    title = part.get("title", "")
    automatic = name.replace("_", " ").title()
    return _words(name) if not title or title == automatic else title


def _bounds(part: Schema) -> tuple[float | str, float | None, float | None]:
    """(step, minimum, maximum) of a number. An exclusive bound counts as the bound: the server decides."""
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    if part.get("type") == "integer":
        return part.get("multipleOf", 1), low, high
    if "multipleOf" in part:
        return part["multipleOf"], low, high
    if low is None or high is None:
        return "any", low, high
    span = high - low
    return (0.01 if span <= 5 else 0.1 if span <= 50 else 1), low, high
